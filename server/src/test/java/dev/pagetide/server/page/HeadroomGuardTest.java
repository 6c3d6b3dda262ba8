package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.MemoryRefusal;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.QueueByHand;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.os.SystemCallException;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The host's edge: no reservation comes near it before pages were reclaimed, and one that would
 * nevertheless is refused. The host here has room for 40 pages, whatever the budget says.
 */
final class HeadroomGuardTest {
  private static final int HOST_PAGES = 40;

  private final Host host = new Host();
  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private final TestRanges ranges =
      new TestRanges(
          TestRanges.UNLIMITED_PAGES,
          PageClock.MONOTONIC,
          (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script),
          PageObserver.NONE,
          new ReclaimConfig(Long.MAX_VALUE, Long.MAX_VALUE, 0, host));

  /** A host that is asked what its files hold, as a control group is. */
  private final class Host implements HostHeadroom {
    @Override
    public long roomPages() {
      long held = 0;
      for (ShrinkablePageRange range : ranges.ranges) {
        held += heldBy(range);
      }
      return HOST_PAGES - held;
    }

    @Override
    public String describe() {
      return "the host has room for 40 pages, --memory-reserve=0 MiB";
    }
  }

  private static long heldBy(ShrinkablePageRange range) {
    if (range.isClosed()) {
      return 0;
    }
    try {
      return range.file().residentPages();
    } catch (SystemCallException e) {
      throw new AssertionError(e);
    }
  }

  @AfterEach
  void close() {
    ranges.checkInvariants();
    ranges.close();
  }

  @Test
  void useRange_edgeWithinReach_reclaimsWhatIsMissingFirst() {
    ShrinkablePageRange first = ranges.openSession(36); // with header and table 38 pages
    first.useRange(0, 36);
    first.stopUsingRange(0, 36);
    ShrinkablePageRange second = ranges.openSession(16);

    PageSpans fresh = second.useRange(0, 16);

    assertThat(fresh.pageCount()).isEqualTo(16);
    assertThat(host.roomPages()).isEqualTo(0);
    assertThat(first.counts().available()).isEqualTo(20);
    assertThat(ranges.shrinker.counters().reclaimed(ReclaimTrigger.CGROUP)).isEqualTo(16);
    assertThat(ranges.shrinker.counters().reclaimed(ReclaimTrigger.BUDGET)).isZero();
  }

  @Test
  void useRange_nothingToReclaim_isRefusedWithTheHostsNumbers() {
    ShrinkablePageRange range = ranges.openSession(64);
    range.useRange(0, 30); // of 38 that fit beside header and table

    PageFailure.NoMemory refusal =
        catchThrowableOfType(PageFailure.NoMemory.class, () -> range.useRange(30, 39));

    assertThat(refusal)
        .hasMessage(
            "no memory for 9 pages: the host has room for 40 pages, --memory-reserve=0 MiB;"
                + " resident 32 of 1099511627776 pages, available 0; stop using pages, or raise the"
                + " control group's limit");
    assertThat(refusal.limit()).isEqualTo(MemoryRefusal.EDGE);
    assertThat(refusal.hopeless()).isFalse();
    assertThat(range.counts().used()).isEqualTo(30);
    assertThat(ranges.budget.chargedPages()).isEqualTo(32);
    assertThat(range.useRange(30, 38).pageCount()).isEqualTo(8);
  }

  @Test
  void register_noRoomForTheBookkeeping_isRefused() {
    ShrinkablePageRange range = ranges.openSession(64);
    range.useRange(0, 37);

    assertThatThrownBy(() -> ranges.openSession(1)).isInstanceOf(PageFailure.NoMemory.class);

    assertThat(ranges.budget.chargedPages()).isEqualTo(39);
    range.stopUsingRange(0, 1);
    assertThat(ranges.openSession(1).pageCount()).isEqualTo(1);
  }

  @Test
  void useRange_kernelRefusesInTheMiddle_leavesNothingPending() {
    ShrinkablePageRange range = ranges.openSession(64);
    range.useRange(10, 12); // so that the use below takes two runs
    script.failFrom(2, 2, FailingPageFile.Call.ALLOCATE);

    assertThatThrownBy(() -> range.useRange(0, 24)).isInstanceOf(PageFailure.NoMemory.class);
    script.failNone();

    assertThat(range.useRange(0, 38).pageCount()).isEqualTo(36); // all that the host has
    assertThatThrownBy(() -> range.useRange(38, 39)).isInstanceOf(PageFailure.NoMemory.class);
  }

  @Test
  void waitingUse_edgeInTheWay_waitsUntilTheHostHasRoom() {
    ShrinkablePageRange first = ranges.openSession(34);
    first.useRange(0, 34);
    ShrinkablePageRange second = ranges.openSession(8); // 38 of 40 pages
    PendingUse use =
        new PendingUse(second, PageSpans.of(0, 8), TimeUnit.MINUTES.toNanos(1), Runnable::run);
    CompletableFuture<PageSpans> result = use.result();

    use.run();
    new QueueByHand(ranges.shrinker.allocationQueue()).serve();
    assertThat(result).isNotDone();
    first.stopUsingRange(0, 6);
    new QueueByHand(ranges.shrinker.allocationQueue()).serve();

    assertThat(result).isCompletedWithValueMatching(fresh -> fresh.pageCount() == 8);
    assertThat(host.roomPages()).isEqualTo(0);
  }

  @Test
  void waitingUse_edgeInTheWayUntilItsTimeIsUp_isRefusedWithTheHostsNumbers() {
    ShrinkablePageRange first = ranges.openSession(34);
    first.useRange(0, 34);
    ShrinkablePageRange second = ranges.openSession(8); // 38 of 40 pages
    PendingUse use = new PendingUse(second, PageSpans.of(0, 8), 1, Runnable::run);
    CompletableFuture<PageSpans> result = use.result();
    use.run();
    assertThat(result).isNotDone();

    new QueueByHand(ranges.shrinker.allocationQueue()).serve();

    assertThat(result.exceptionNow())
        .hasMessageStartingWith("no memory for 8 pages after ")
        .hasMessageContaining("the host has room for 40 pages, --memory-reserve=0 MiB")
        .asInstanceOf(type(PageFailure.NoMemory.class))
        .returns(MemoryRefusal.EDGE, PageFailure.NoMemory::limit);
  }

  @Test
  void useRange_othersWaitForTheHost_isRefusedWithTheHostsNumbersToo() {
    ShrinkablePageRange first = ranges.openSession(64);
    first.useRange(0, 32);
    ShrinkablePageRange second = ranges.openSession(8); // 36 of 40 pages
    new PendingUse(second, PageSpans.of(0, 8), TimeUnit.MINUTES.toNanos(1), Runnable::run).run();
    QueueByHand queue = new QueueByHand(ranges.shrinker.allocationQueue());
    queue.serve();
    assertThat(queue.size()).isEqualTo(1);

    refusedByTheHost(first, 5); // more than there is
    assertThat(queue.tryPass(4)).isTrue();
    refusedByTheHost(first, 1); // there is as much, but others may have it
    queue.passedNot(4);

    assertThat(first.useRange(32, 36).pageCount()).isEqualTo(4);
    second.close();
  }

  private static void refusedByTheHost(ShrinkablePageRange range, int pages) {
    assertThatThrownBy(() -> range.useRange(32, 32 + pages))
        .hasMessageContaining("the host has room for 40 pages, --memory-reserve=0 MiB")
        .hasMessageContaining("; 1 request waits and goes first; ")
        .hasMessageEndingWith("raise the control group's limit")
        .asInstanceOf(type(PageFailure.NoMemory.class))
        .returns(MemoryRefusal.EDGE, PageFailure.NoMemory::limit);
  }

  @Test
  void useRange_eightThreads_neverComeOverTheEdge() throws InterruptedException {
    ShrinkablePageRange range = ranges.openSession(128);
    long seed = Seeds.next();

    Crowd.run(
        8,
        index -> {
          Random random = new Random(seed + index);
          for (int i = 0; i < 3_000; i++) {
            int start = index * 16 + random.nextInt(12);
            try {
              range.useRange(start, start + 1 + random.nextInt(4));
            } catch (PageFailure.NoMemory e) {
              range.stopUsingRange(index * 16, index * 16 + 16);
            }
            assertThat(heldBy(range)).isLessThanOrEqualTo(HOST_PAGES);
          }
        });

    range.stopUsingRange(0, 128);
    assertThat(ranges.shrinker.counters().reclaimed(ReclaimTrigger.CGROUP)).isPositive();
  }
}
