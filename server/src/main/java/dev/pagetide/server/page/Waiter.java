package dev.pagetide.server.page;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/** One who waits for memory: for how much, until when, and whom to tell. Thread-safe. */
final class Waiter {
  private final long arrival;
  private final ShrinkablePageRange range;
  private final long pages;
  private final long sinceNanos;
  private final long deadlineNanos;
  private final Runnable granted;
  private final Consumer<PageFailure> refused;
  private final AtomicBoolean over = new AtomicBoolean();

  /**
   * Somebody about to stand in line.
   *
   * @param arrival from {@link WaitingLine#arrive}
   * @param pages to be charged to the range's budget
   * @param sinceNanos when the use began to wait
   * @param deadlineNanos when to give up
   * @param granted told that the pages are reserved; they are the listener's to give or give back
   * @param refused told why not
   */
  Waiter(
      long arrival,
      ShrinkablePageRange range,
      long pages,
      long sinceNanos,
      long deadlineNanos,
      Runnable granted,
      Consumer<PageFailure> refused) {
    this.arrival = arrival;
    this.range = range;
    this.pages = pages;
    this.sinceNanos = sinceNanos;
    this.deadlineNanos = deadlineNanos;
    this.granted = granted;
    this.refused = refused;
  }

  long arrival() {
    return arrival;
  }

  ShrinkablePageRange range() {
    return range;
  }

  long pages() {
    return pages;
  }

  long sinceNanos() {
    return sinceNanos;
  }

  long deadlineNanos() {
    return deadlineNanos;
  }

  /** Ends the wait; true for the one who did. */
  boolean tryEnd() {
    return over.compareAndSet(false, true);
  }

  void granted() {
    granted.run();
  }

  void refused(PageFailure why) {
    refused.accept(why);
  }
}
