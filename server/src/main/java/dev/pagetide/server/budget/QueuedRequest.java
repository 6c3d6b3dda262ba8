package dev.pagetide.server.budget;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One request that waits for memory: for how much, until when, and whom to tell. Thread-safe. */
final class QueuedRequest {
  private final long arrival;
  private final Asker asker;
  private final long pages;
  private final long sinceNanos;
  private final long deadlineNanos;
  private final Runnable granted;
  private final Consumer<Answer.Denial> denied;
  private final Consumer<Throwable> failed;
  private final AtomicReference<@Nullable End> end = new AtomicReference<>();

  /** Written by the thread that serves the line. */
  private volatile long gathered;

  /** Only for the thread that serves the line. */
  private long lostPages;

  /**
   * Who asks.
   *
   * @param leaf what the pages are to be charged to
   * @param hasEnded whether the asker has ended, which ends its wait
   * @param owner who must not hold the line in vain twice in a row; compared by {@code equals}
   */
  record Asker(PageBudget leaf, BooleanSupplier hasEnded, Object owner) {}

  /** How a wait ended, and how long after the request had begun to wait. */
  record End(WaitOutcome outcome, long waitedNanos) {}

  /**
   * Somebody about to stand in line.
   *
   * @param arrival from {@link AllocationQueue#arrive}
   * @param pages to be charged to the asker's budget
   * @param sinceNanos when the request began to wait
   * @param deadlineNanos when to give up
   * @param granted told that the pages are reserved; they are the listener's to give or give back
   * @param denied told why not
   * @param failed told of a bug, or of what the server lacks itself, if that ends the wait
   */
  QueuedRequest(
      long arrival,
      Asker asker,
      long pages,
      long sinceNanos,
      long deadlineNanos,
      Runnable granted,
      Consumer<Answer.Denial> denied,
      Consumer<Throwable> failed) {
    this.arrival = arrival;
    this.asker = asker;
    this.pages = pages;
    this.sinceNanos = sinceNanos;
    this.deadlineNanos = deadlineNanos;
    this.granted = granted;
    this.denied = denied;
    this.failed = failed;
  }

  long arrival() {
    return arrival;
  }

  PageBudget leaf() {
    return asker.leaf();
  }

  /** Whether the asker has ended. */
  boolean hasEnded() {
    return asker.hasEnded().getAsBoolean();
  }

  Object owner() {
    return asker.owner();
  }

  long pages() {
    return pages;
  }

  /** How many of them are reserved, and charged, while it waits. */
  long gathered() {
    return gathered;
  }

  /** How many it lacks. */
  long missing() {
    return pages - gathered;
  }

  /** Only for the thread that serves the line. */
  void setGathered(long reserved) {
    gathered = reserved;
  }

  /** Only for the thread that serves the line: another one took its turn. */
  void outranked() {
    lostPages = gathered;
  }

  /** How many pages had gathered when it was outranked; told once. */
  long takeLostPages() {
    long lost = lostPages;
    lostPages = 0;
    return lost;
  }

  long sinceNanos() {
    return sinceNanos;
  }

  long deadlineNanos() {
    return deadlineNanos;
  }

  /** Ends the wait; true for the one who did. */
  boolean tryEnd(WaitOutcome outcome, long nowNanos) {
    return end.compareAndSet(null, new End(outcome, nowNanos - sinceNanos));
  }

  /** How the wait ended; null while it lasts. */
  @Nullable End end() {
    return end.get();
  }

  void granted() {
    granted.run();
  }

  void denied(Answer.Denial why) {
    denied.accept(why);
  }

  void failed(Throwable why) {
    failed.accept(why);
  }
}
