package dev.pagetide.server.budget;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One request that waits for memory: how many pages, until when, and which callbacks it has.
 * Thread-safe.
 */
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

  /** Written only by the thread that serves the queue. */
  private volatile long gathered;

  /** Only for the thread that serves the queue. */
  private long lostPages;

  /**
   * The asker of the request.
   *
   * @param leaf the budget to which the pages are to be charged
   * @param hasEnded whether the asker has ended, which ends its wait
   * @param owner identifies the asker whose turn must not be in vain twice in a row; compared by
   *     {@code equals}
   */
  record Asker(PageBudget leaf, BooleanSupplier hasEnded, Object owner) {}

  /** How a wait ended, and how long that was after the request had begun to wait. */
  record End(WaitOutcome outcome, long waitedNanos) {}

  /**
   * A request that is not in the queue yet.
   *
   * @param arrival from {@link AllocationQueue#arrive}
   * @param pages to be charged to the asker's budget
   * @param sinceNanos when the request began to wait
   * @param deadlineNanos when to give up
   * @param granted called when the pages are reserved; the callee gives them memory or gives them
   *     back
   * @param denied called with the reason if they are not
   * @param failed called with a bug, or with a resource that the server itself lacks, if that ends
   *     the wait
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

  /** How many of the pages are reserved, and charged, while it waits. */
  long gathered() {
    return gathered;
  }

  /** How many of the pages it lacks. */
  long missing() {
    return pages - gathered;
  }

  /** Only for the thread that serves the queue. */
  void setGathered(long reserved) {
    gathered = reserved;
  }

  /** Notes that another request took its turn. Only for the thread that serves the queue. */
  void outranked() {
    lostPages = gathered;
  }

  /** The number of pages that had gathered when another request took its turn. Resets it to 0. */
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

  /** Ends the wait; true for the one caller that did. */
  boolean tryEnd(WaitOutcome outcome, long nowNanos) {
    return end.compareAndSet(null, new End(outcome, nowNanos - sinceNanos));
  }

  /** How the wait ended; null while the request waits. */
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
