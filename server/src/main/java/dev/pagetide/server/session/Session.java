package dev.pagetide.server.session;

import dev.pagetide.server.page.PageBudget;
import dev.pagetide.server.page.ShrinkablePageRange;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;

/** One client's hold on one range, from its opening to its end. Thread-safe. */
public final class Session {
  private final String token;
  private final String name;
  private final Peer peer;
  private final Instant openTime;
  private final ShrinkablePageRange range;
  private final PageBudget budget;
  private final CompletableFuture<Void> ending = new CompletableFuture<>();

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
   * Runs something when the session ends, before its range closes, on the thread that ends it; at
   * once if that has begun.
   */
  public void whenEnding(Runnable action) {
    var _ = ending.thenRun(action);
  }

  void tellEnding() {
    ending.complete(null);
  }

  /** Leaves the token out. */
  @Override
  public String toString() {
    return "Session[rangeId=" + rangeId() + ", peer=" + peer + "]";
  }
}
