package dev.pagetide.server.page;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.MemoryRefusal;
import dev.pagetide.server.budget.QueueByHand;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.budget.WaitOutcome;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A line of those who wait for memory, served by hand, with a clock that is set by hand: a budget
 * of 100 pages, of which one range uses most.
 */
final class WaitingScene implements PageObserver, AutoCloseable {
  static final int BUDGET_PAGES = 100;
  static final long WAIT_NANOS = 10_000_000_000L;

  /** Of {@link #hog}, all USED at the beginning. */
  static final int HOG_PAGES = 66;

  /** What nobody has at the beginning: four ranges have two pages each for header and table. */
  static final int FREE_PAGES = BUDGET_PAGES - HOG_PAGES - 4 * 2;

  /** Ticks at each look, by a nanosecond. */
  final AtomicLong time = new AtomicLong(1_000_000_000);

  final TestRanges ranges;
  final ShrinkablePageRange hog;
  final ShrinkablePageRange big;
  final ShrinkablePageRange small;
  final ShrinkablePageRange other;
  final QueueByHand queue;
  final List<WaitOutcome> waits = new ArrayList<>();
  final List<PageFailure.NoMemory> refusals = new ArrayList<>();
  int scansForWaiters;
  int sweeps;

  /** How long a sweep over the page tables seems to take. */
  long sweepNanos;

  /** What refusals fail with, if anything. */
  Runnable whenRefused = () -> {};

  /** What happens before the scan of one who does not wait is over, if anything. */
  Runnable whenNewcomerScans = () -> {};

  /** What looks at the clock fail with, if anything. */
  Runnable whenTimeIsRead = () -> {};

  WaitingScene() {
    this(0);
  }

  /** A scene where what was stopped so short a time ago is spared. */
  WaitingScene(long protectNanos) {
    this.ranges =
        new TestRanges(
            BUDGET_PAGES,
            this::now,
            PageFileMaker.MEMFD,
            this,
            new ReclaimConfig(Long.MAX_VALUE, Long.MAX_VALUE, protectNanos, HostHeadroom.NONE));
    this.hog = ranges.openSession(HOG_PAGES);
    this.big = ranges.openSession(HOG_PAGES);
    this.small = ranges.openSession(HOG_PAGES);
    this.other = ranges.openSession(HOG_PAGES);
    this.queue = new QueueByHand(ranges.shrinker.allocationQueue());
    hog.useRange(0, HOG_PAGES);
  }

  private long now() {
    whenTimeIsRead.run();
    return time.incrementAndGet();
  }

  @Override
  public void waited(WaitOutcome outcome, long nanos) {
    waits.add(outcome);
  }

  @Override
  public void refused(MemoryRefusal refusal) {
    refusals.add(new PageFailure.NoMemory(refusal));
    whenRefused.run();
  }

  @Override
  public void scanned(ReclaimTrigger trigger, ScanResult result, long nanos) {
    if (trigger == ReclaimTrigger.WAITER) {
      scansForWaiters++;
    } else if (trigger == ReclaimTrigger.BUDGET) {
      whenNewcomerScans.run();
    }
  }

  @Override
  public void swept(long nanos) {
    sweeps++;
    time.addAndGet(sweepNanos);
  }

  /** Begins a use that may wait for ten seconds of this scene's clock. */
  PendingUse use(ShrinkablePageRange range, int startPage, int endPage) {
    return use(range, startPage, endPage, Runnable::run);
  }

  PendingUse use(ShrinkablePageRange range, int startPage, int endPage, Executor workers) {
    PendingUse use = new PendingUse(range, PageSpans.of(startPage, endPage), WAIT_NANOS, workers);
    use.run();
    return use;
  }

  /** Nothing comes back for so long that what has gathered is let go. */
  void stall() {
    time.addAndGet(QueueByHand.STALL_NANOS);
    queue.serve();
  }

  long freePages() {
    return BUDGET_PAGES - ranges.budget.chargedPages();
  }

  @Override
  public void close() {
    ranges.close();
    queue.serve(); // for what had gathered for a waiter that has ended
    ranges.checkInvariants();
  }
}
