package dev.pagetide.server.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.page.ShrinkablePageRange;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** One client's claim to one range, from its opening to its end. Thread-safe. */
public final class Session {
  private final String token;
  private final String name;
  private final Peer peer;
  private final Instant openTime;
  private final ShrinkablePageRange range;
  private final PageBudget budget;

  @GuardedBy("this")
  private final List<Runnable> whenEnding = new ArrayList<>(1);

  @GuardedBy("this")
  private boolean ending;

  Session(
      String token,
      String name,
      Peer peer,
      Instant openTime,
      ShrinkablePageRange range,
      PageBudget budget) {
    this.token = token;
    this.name = name;
    this.peer = peer;
    this.openTime = openTime;
    this.range = range;
    this.budget = budget;
  }

  /** The secret that names this session in requests. Never logged, never shown. */
  public String token() {
    return token;
  }

  /** The session's public number, for operators. One server never reuses it. */
  public long rangeId() {
    return range.id();
  }

  /** The name the client gave, or the empty string. */
  public String name() {
    return name;
  }

  /** The client that opened it. */
  public Peer peer() {
    return peer;
  }

  /** When it was opened. */
  public Instant openTime() {
    return openTime;
  }

  /** Its pages. */
  public ShrinkablePageRange range() {
    return range;
  }

  /** The budget to which its memory is charged. */
  public PageBudget budget() {
    return budget;
  }

  /**
   * Registers an action. The thread that ends the session runs it before the range closes.
   *
   * @return false if the end has begun: then the action does not run
   */
  public synchronized boolean whenEnding(Runnable action) {
    if (ending) {
      return false;
    }
    whenEnding.add(action);
    return true;
  }

  /** Runs every registered action, even if others throw. Called once. */
  void tellEnding() {
    List<Runnable> told;
    synchronized (this) {
      ending = true;
      told = whenEnding; // no action is added from now on
    }
    runFrom(told, 0);
  }

  private static void runFrom(List<Runnable> actions, int first) {
    for (int i = first; i < actions.size(); i++) {
      boolean done = false;
      try {
        actions.get(i).run();
        done = true;
      } finally {
        if (!done) {
          runFrom(actions, i + 1);
        }
      }
    }
  }

  /** Leaves the token out. */
  @Override
  public String toString() {
    return "Session[rangeId=" + rangeId() + ", peer=" + peer + "]";
  }
}
