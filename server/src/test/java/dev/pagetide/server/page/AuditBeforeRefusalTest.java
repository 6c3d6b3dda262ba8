package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.MemoryRefusal;
import dev.pagetide.server.budget.QueueByHand;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.testkit.Promise;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Strays take memory from the host, and no budget is charged for them. So before the host's lack of
 * memory refuses a request, strays are taken; but not each time, because a client can have itself
 * refused as often as it likes.
 */
@Promise(32)
final class AuditBeforeRefusalTest {
  private static final int ENOMEM = 12;
  private static final int EMFILE = 24;

  /** More than a scan punches, so that its own audit is not enough. */
  private static final int MANY = 2_048;

  private static final int HOST_PAGES = MANY + 1_000;

  private final AtomicLong time = new AtomicLong(1_000_000_000);
  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private int refusedFiles;
  private int refusalErrno;

  private final TestRanges ranges =
      new TestRanges(
          TestRanges.UNLIMITED_PAGES,
          time::get,
          this::make,
          PageObserver.NONE,
          new ReclaimConfig(Long.MAX_VALUE, Long.MAX_VALUE, 0, new Host()));

  private PageFile make(String name, SharedFileLayout layout) throws SystemCallException {
    if (refusedFiles > 0) {
      refusedFiles--;
      throw new SystemCallException("memfd_create", refusalErrno);
    }
    return new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script);
  }

  /** A host that is asked what its files hold, as a control group is. */
  private final class Host implements HostHeadroom {
    @Override
    public long roomPages() {
      time.addAndGet(TimeUnit.MILLISECONDS.toNanos(1)); // so that no reading is kept
      long held = 0;
      for (ShrinkablePageRange range : ranges.ranges) {
        held += range.isClosed() ? 0 : Invariants.residentPages(range);
      }
      return HOST_PAGES - held;
    }

    @Override
    public String describe() {
      return "the host has little room";
    }
  }

  @AfterEach
  void close() {
    ranges.close();
  }

  private void pauseIsOver() {
    time.addAndGet(AuditBeforeRefusal.PAUSE_NANOS);
  }

  private boolean takesStrays() {
    return ranges.shrinker.liveRanges().takesStrays(() -> false);
  }

  @Test
  void useRange_straysFillTheHost_takesThemAndSucceeds() {
    ShrinkablePageRange hostile = ranges.openSession(MANY);
    ShrinkablePageRange honest = ranges.openSession(MANY);
    try (ClientView client = new ClientView(hostile)) {
      client.fallocate(0, MANY);

      assertThat(honest.useRange(0, MANY)).isEqualTo(PageSpans.of(0, MANY));

      assertThat(hostile.strays()).isEqualTo(MANY);
      ranges.checkInvariants();
    }
  }

  @Test
  void waitingUse_straysFillTheHost_takesThemAndIsGranted() {
    ShrinkablePageRange hostile = ranges.openSession(MANY);
    ShrinkablePageRange honest = ranges.openSession(MANY);
    try (ClientView client = new ClientView(hostile)) {
      PendingUse use =
          new PendingUse(honest, PageSpans.of(0, MANY), TimeUnit.MINUTES.toNanos(1), Runnable::run);
      QueueByHand queue = new QueueByHand(ranges.shrinker.allocationQueue());
      hostile.useRange(0, MANY); // so that the use has to wait
      use.run();
      assertThat(queue.size()).isEqualTo(1);
      hostile.stopUsingRange(0, MANY);
      assertThat(ranges.shrinker.scan(MANY).reclaimed()).isEqualTo(MANY);
      client.fallocate(0, MANY);
      pauseIsOver();

      queue.serve();

      assertThat(use.result()).isCompletedWithValue(PageSpans.of(0, MANY));
      assertThat(hostile.strays()).isEqualTo(MANY);
    }
  }

  @Test
  void useRange_clientTouchesItsPagesAllTheTime_isRefusedAndCausesOneAuditAPause() {
    ShrinkablePageRange hostile = ranges.openSession(MANY);
    ShrinkablePageRange more = ranges.openSession(HOST_PAGES);
    try (ClientView client = new ClientView(hostile)) {
      client.fallocate(0, MANY);
      refused(more);
      long first = hostile.strays();
      client.fallocate(0, MANY);
      ranges.shrinker.scan(1); // what a refused request costs besides
      long scanned = hostile.strays() - first;
      client.fallocate(0, MANY);
      assertThat(takesStrays()).as("within the pause").isFalse();
      assertThat(hostile.strays()).isEqualTo(first + scanned);

      pauseIsOver();
      assertThat(takesStrays()).isTrue();

      assertThat(first).isEqualTo(MANY);
      assertThat(scanned).isEqualTo((long) StrayAudit.FEW_HOLDS * ResidentPages.MAX_PAGES_PER_HOLD);
    }
  }

  private static void refused(ShrinkablePageRange range) {
    assertThatThrownBy(() -> range.useRange(0, HOST_PAGES))
        .asInstanceOf(type(PageFailure.NoMemory.class))
        .returns(MemoryRefusal.EDGE, PageFailure.NoMemory::limit);
  }

  @Test
  void takesStrays_enoughAfterTheFirstRange_leavesTheOthersAndBeginsThereNextTime() {
    ShrinkablePageRange one = ranges.open(8);
    ShrinkablePageRange other = ranges.open(8);
    try (ClientView first = new ClientView(one);
        ClientView second = new ClientView(other)) {
      first.scribble(3, 9);
      second.scribble(3, 9);

      assertThat(ranges.shrinker.liveRanges().takesStrays(() -> true)).isTrue();
      assertThat(one.strays() + other.strays()).isEqualTo(1);
      pauseIsOver();
      assertThat(ranges.shrinker.liveRanges().takesStrays(() -> true)).isTrue();

      assertThat(one.strays()).isEqualTo(1);
      assertThat(other.strays()).isEqualTo(1);
    }
  }

  @Test
  void takesStrays_noStrays_isNotWorthAnotherTry() {
    ranges.open(8);

    assertThat(takesStrays()).isFalse();
  }

  @Test
  void useRange_kernelRefusesAndThereAreStrays_triesOnceMore() {
    ShrinkablePageRange hostile = ranges.openSession(8);
    ShrinkablePageRange honest = ranges.openSession(8);
    try (ClientView client = new ClientView(hostile)) {
      client.scribble(3, 9);
      script.failFrom(1, 1, FailingPageFile.Call.ALLOCATE);

      assertThat(honest.useRange(0, 8)).isEqualTo(PageSpans.of(0, 8));

      assertThat(hostile.strays()).isEqualTo(1);
      ranges.checkInvariants();
    }
  }

  @Test
  void useRange_kernelRefusesTwice_isRefused() {
    ShrinkablePageRange hostile = ranges.openSession(8);
    ShrinkablePageRange honest = ranges.openSession(8);
    try (ClientView client = new ClientView(hostile)) {
      client.scribble(3, 9);
      script.failEvery(FailingPageFile.Call.ALLOCATE);

      assertThatThrownBy(() -> honest.useRange(0, 8)).isInstanceOf(PageFailure.NoMemory.class);

      assertThat(script.calls()).isEqualTo(2);
      assertThat(TestRanges.map(honest)).isEqualTo("FFFFFFFF");
      script.failNone();
      ranges.checkInvariants();
    }
  }

  @Test
  void register_kernelRefusesMemoryAndThereAreStrays_triesOnceMore() {
    ShrinkablePageRange hostile = ranges.openSession(8);
    try (ClientView client = new ClientView(hostile)) {
      client.scribble(3, 9);
      refusedFiles = 1;
      refusalErrno = ENOMEM;

      assertThat(ranges.openSession(8).pageCount()).isEqualTo(8);

      assertThat(hostile.strays()).isEqualTo(1);
    }
  }

  @Test
  void register_kernelRefusesADescriptor_takesNoStrays() {
    ShrinkablePageRange hostile = ranges.openSession(8);
    try (ClientView client = new ClientView(hostile)) {
      client.scribble(3, 9);
      refusedFiles = 1;
      refusalErrno = EMFILE;

      assertThatThrownBy(() -> ranges.openSession(8)).isInstanceOf(PageFailure.NoMemory.class);

      assertThat(hostile.strays()).isZero();
    }
  }
}
