package dev.pagetide.server.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.pagetide.server.page.FailingPageFile;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.page.PageFileMaker;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Where freed buffers are cleared, in which order, and what becomes of those that are refused. */
final class ClearingTest {
  private static final int PAGES = 8192;
  private static final long SMALL = 4096;
  private static final long LARGE = Clearing.INLINE_BYTES;

  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private final TestBuffers buffers =
      TestBuffers.ofPages(
          PAGES,
          (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));

  /** What the workers are to do; it is done when a test says so. */
  private final ArrayDeque<Runnable> work = new ArrayDeque<>();

  private final Timer timer = new Timer();
  private final List<PageFailure> told = new ArrayList<>();
  private final List<String> done = new ArrayList<>();
  private final Clearing clearing = new Clearing(buffers.allocator, work::add, timer, told::add);

  /** Notes what is planned and for when; does it when a test says so. */
  private static final class Timer extends ScheduledThreadPoolExecutor {
    private final ArrayDeque<Runnable> planned = new ArrayDeque<>();
    private final List<Long> pauses = new ArrayList<>();

    Timer() {
      super(1);
    }

    @Override
    public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
      if (isShutdown()) {
        throw new RejectedExecutionException("shut down");
      }
      planned.add(command);
      pauses.add(unit.toMillis(delay));
      return super.schedule(() -> {}, 0, unit);
    }
  }

  /** Refuses the next so many writes of zeros. */
  private void refuse(int writes) {
    script.failFrom(1, writes, FailingPageFile.Call.WRITE_ZEROS);
  }

  @AfterEach
  void close() {
    timer.shutdownNow();
    buffers.checkInvariants();
    buffers.close();
  }

  private void doWork() {
    for (Runnable next = work.poll(); next != null; next = work.poll()) {
      next.run();
    }
  }

  /** Buffers with bytes in them whose free has begun. */
  private List<Buffer> freed(int count, long size) {
    List<Buffer> freed = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Buffer buffer = buffers.delivered(TestBuffers.toClear(size));
      buffers.fill(buffer, 7);
      freed.add(Objects.requireNonNull(buffers.allocator.beginFree(buffer.offset())));
    }
    return freed;
  }

  private int clearing() {
    return buffers.allocator.totals().clearingBuffers();
  }

  @Test
  void clear_little_isDoneAtOnce() {
    clearing.clear(freed(2, SMALL), () -> done.add("freed"));

    assertThat(done).containsExactly("freed");
    assertThat(clearing()).isZero();
    assertThat(work).isEmpty();
    assertThat(buffers.bytesOf(buffers.allocate(SMALL))).containsOnly(0);
  }

  /** Each of them is small enough to be cleared at once; together they are 2 MiB. */
  @Test
  void clear_manySmallOnesTogether_isLeftToOneWorkerAndToldWhenAllAreFree() {
    clearing.clear(freed(32, LARGE), () -> done.add("freed"));

    assertThat(clearing()).as("nothing is cleared on the calling thread").isEqualTo(32);
    assertThat(done).isEmpty();
    assertThat(work).hasSize(1);
    doWork();
    assertThat(clearing()).isZero();
    assertThat(done).containsExactly("freed");
    assertThat(buffers.bytesOf(buffers.allocate(32 * LARGE))).containsOnly(0);
  }

  @Test
  void clear_severalTimes_takesOneWorkerInStepsAndKeepsTheOrder() {
    clearing.clear(freed(1, Clearing.STEP_BYTES), () -> done.add("first"));
    clearing.clear(freed(2, LARGE), () -> done.add("second"));
    clearing.afterThose(() -> done.add("allocate"));
    assertThat(work).hasSize(1);

    work.remove().run();

    assertThat(clearing()).as("others' work comes in between").isEqualTo(2);
    assertThat(work).hasSize(1);
    doWork();
    assertThat(done).containsExactly("first", "second", "allocate");
    clearing.afterThose(() -> done.add("later"));
    assertThat(done).endsWith("later");
    assertThat(work).isEmpty();
  }

  @Test
  void clear_noThreadIsToBeHad_isDoneOnTheCallingThread() {
    Clearing ofNoThread =
        new Clearing(
            buffers.allocator,
            task -> {
              throw new OutOfMemoryError("as the test says");
            },
            timer,
            told::add);

    ofNoThread.clear(freed(2, 2 * LARGE), () -> done.add("first"));
    ofNoThread.clear(freed(1, 2 * LARGE), () -> done.add("second"));
    ofNoThread.afterThose(() -> done.add("allocate"));

    assertThat(done).containsExactly("first", "second", "allocate");
    assertThat(clearing()).isZero();
  }

  @Test
  void clear_whatFollowsThrows_whatWaitsIsDoneNevertheless() {
    clearing.clear(
        freed(1, 2 * LARGE),
        () -> {
          throw new IllegalStateException("a bug");
        });
    clearing.clear(freed(1, 2 * LARGE), () -> done.add("second"));

    Runnable first = work.remove();
    assertThat(catchThrowable(first::run)).isInstanceOf(IllegalStateException.class);
    doWork();

    assertThat(done).containsExactly("second");
    assertThat(clearing()).isZero();
  }

  @Test
  void clear_workersAreGone_isDoneOnThisThread() {
    Clearing stopping =
        new Clearing(
            buffers.allocator,
            task -> {
              throw new RejectedExecutionException("the server stops");
            },
            timer,
            told::add);

    stopping.clear(freed(3, LARGE), () -> done.add("freed"));

    assertThat(done).containsExactly("freed");
    assertThat(clearing()).isZero();
  }

  @Test
  void clear_workersAreGoneAndWhatFollowsThrows_whatWaitsIsDoneNevertheless() {
    Clearing stopping =
        new Clearing(
            buffers.allocator,
            task -> {
              throw new RejectedExecutionException("the server stops");
            },
            timer,
            told::add);
    List<Buffer> first = freed(1, 2 * LARGE);
    List<Buffer> second = freed(1, 2 * LARGE);
    Runnable addsAndThrows =
        () -> {
          stopping.clear(second, () -> done.add("second"));
          throw new IllegalStateException("a bug");
        };

    assertThat(catchThrowable(() -> stopping.clear(first, addsAndThrows)))
        .isInstanceOf(IllegalStateException.class);

    assertThat(done).containsExactly("second");
    assertThat(clearing()).isZero();
    stopping.afterThose(() -> done.add("later"));
    assertThat(done).as("nobody is at the steps any more").endsWith("later");
  }

  @Test
  void clear_refusedByTheKernel_isToldCountedAndTriedAgainAfterGrowingPauses() {
    refuse(4);
    clearing.clear(freed(1, SMALL), () -> done.add("tried"));
    assertThat(done).containsExactly("tried");
    assertThat(clearing()).isEqualTo(1);

    for (int round = 0; round < 3; round++) {
      assertThat(timer.planned).hasSize(1);
      timer.planned.remove().run();
      doWork();
      assertThat(clearing()).isEqualTo(1);
    }
    timer.planned.remove().run();
    doWork();

    assertThat(clearing()).isZero();
    assertThat(told).hasSize(4).allMatch(PageFailure.SystemRefused.class::isInstance);
    assertThat(timer.pauses).containsExactly(10L, 20L, 40L, 80L);
    assertThat(timer.planned).isEmpty();
    assertThat(buffers.bytesOf(buffers.allocate(SMALL))).containsOnly(0);
    refuse(1);
    clearing.clear(freed(1, SMALL), () -> {});
    assertThat(timer.pauses).as("a new trouble").endsWith(10L);
    timer.planned.remove().run();
    doWork();
  }

  @Test
  void clear_refusedManyTimes_hasOneTimerAndAtMostTheLongestPause() {
    refuse(Integer.MAX_VALUE);
    clearing.clear(freed(3, SMALL), () -> {});
    for (int round = 0; round < 15; round++) {
      assertThat(timer.planned).hasSize(1);
      timer.planned.remove().run();
      doWork();
    }

    assertThat(timer.pauses).endsWith(Clearing.LONGEST_PAUSE_MILLIS, Clearing.LONGEST_PAUSE_MILLIS);
    assertThat(told).hasSize(3 * 16);
    script.failNone();
    timer.planned.remove().run();
    doWork();
    assertThat(clearing()).isZero();
  }

  @Test
  void tryAgain_rangeHasEnded_doesNothingMore() {
    refuse(1);
    clearing.clear(freed(1, SMALL), () -> {});
    buffers.allocator.close();

    timer.planned.remove().run();
    doWork();

    assertThat(told).hasSize(1);
    assertThat(timer.planned).isEmpty();
  }
}
