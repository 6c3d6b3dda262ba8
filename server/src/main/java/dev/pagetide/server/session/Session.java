package dev.pagetide.server.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.page.ShrinkablePageRange;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** One client's hold on one range, from its opening to its end. Thread-safe. */
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

  /** The session's public name for operators: never used twice by one server. */
  public long rangeId() {
    return range.id();
  }

  /** The name the client gave, or the empty string. */
  public String name() {
    return name;
  }

  /** Who opened it. */
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

  /** What its memory is charged to. */
  public PageBudget budget() {
    return budget;
  }

  /**
   * Runs something when the session ends, before its range closes, on the thread that ends it.
   *
   * @return false if the end has begun: then the action is not run
   */
  public synchronized boolean whenEnding(Runnable action) {
    if (ending) {
      return false;
    }
    whenEnding.add(action);
    return true;
  }

  /** Runs what was asked for, each action whatever became of the others. Called once. */
  void tellEnding() {
    List<Runnable> told;
    synchronized (this) {
      ending = true;
      told = whenEnding; // nothing is added from now on
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
