package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Steps in which a second thread does something while the server punches the oldest AVAILABLE page.
 *
 * <p>What a scan does there the model knows exactly. A use there runs at the same time as the end
 * of the scan, so the model does not know which AVAILABLE pages are reclaimed for it: it takes over
 * what went, and checks what may not happen. No page of a use that was refused becomes USED; and
 * all pages of one that was not are USED, those that held no memory reported as fresh.
 */
final class InThePunch {
  private final ServerInside server;
  private final ServerModel model;
  private final List<RangeUnderTest> ranges;
  private final FailingPageFile.Script script;
  private final Expect expect;

  /** Fails the run if something does not hold. */
  @FunctionalInterface
  interface Expect {
    void that(boolean holds, String message);
  }

  InThePunch(
      ServerInside server,
      ServerModel model,
      List<RangeUnderTest> ranges,
      FailingPageFile.Script script,
      Expect expect) {
    this.server = server;
    this.model = model;
    this.ranges = ranges;
    this.script = script;
    this.expect = expect;
  }

  /** Another scan: the punched page's range is busy for it. */
  void scan(ServerModel.Place oldest, long pages) {
    long[] reclaimed = new long[1];

    punch(oldest, () -> reclaimed[0] = server.scan(pages).reclaimed());

    List<ServerModel.Range> others = new ArrayList<>(model.ranges);
    others.remove(oldest.range());
    long right = model.scan(pages, others);
    expect.that(reclaimed[0] == right, "reclaimed %d, not %d".formatted(reclaimed[0], right));
  }

  /**
   * A use.
   *
   * @param refused whether the kernel refuses whatever memory it asks for
   */
  void use(ServerModel.Place oldest, int index, BitSet pages, boolean refused) {
    AtomicReference<Optional<BitSet>> told = new AtomicReference<>(Optional.empty());
    if (refused) {
      script.failEvery(FailingPageFile.Call.ALLOCATE);
    }

    punch(oldest, () -> told.set(RandomOperations.use(ranges.get(index), pages)));

    script.failNone();
    ServerModel.Range range = model.ranges.get(index);
    BitSet absent = (BitSet) pages.clone();
    absent.stream().filter(page -> range.states[page] != PageState.FREE).forEach(absent::clear);
    BitSet fresh = Objects.requireNonNull(told.get()).orElse(null);
    expect.that(fresh != null || !absent.isEmpty(), "refused, though every page held memory");
    expect.that(fresh == null || !refused || absent.isEmpty(), "memory from a kernel without");
    if (fresh != null) {
      checkFresh(range, pages, absent, fresh);
    }
    takeOverReclaimed(fresh == null ? new BitSet() : pages, index);
  }

  /** Gives the model what a use that was not refused did. */
  private void checkFresh(ServerModel.Range range, BitSet pages, BitSet absent, BitSet fresh) {
    BitSet missing = (BitSet) absent.clone();
    missing.andNot(fresh);
    expect.that(missing.isEmpty(), "not told that %s are fresh".formatted(missing));
    pages.stream()
        .forEach(page -> {
          if (fresh.get(page)) {
            expect.that(range.states[page] != PageState.USED, "USED, and fresh: " + page);
            if (range.states[page] == PageState.AVAILABLE) {
              range.lose(page);
            }
            range.gain(page);
          }
          range.states[page] = PageState.USED;
        });
  }

  /** Every page is what the model says, or was reclaimed for the use. */
  private void takeOverReclaimed(BitSet used, int index) {
    for (int i = 0; i < ranges.size(); i++) {
      ServerModel.Range range = model.ranges.get(i);
      PageState[] states = ranges.get(i).states();
      for (int page = 0; page < states.length; page++) {
        boolean mayBeGone = i != index || !used.get(page);
        if (mayBeGone
            && range.states[page] == PageState.AVAILABLE
            && states[page] == PageState.FREE) {
          range.lose(page);
        }
      }
    }
  }

  /**
   * Reclaims the oldest page, and runs something in the middle of its punch: to its end, or until
   * it waits for the page's range.
   */
  private void punch(ServerModel.Place oldest, Runnable other) {
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    Thread thread = Thread.ofPlatform().unstarted(other);
    thread.setUncaughtExceptionHandler((ended, thrown) -> failure.set(thrown));
    ShrinkablePageRange punched = server.core(ranges.get(oldest.range()));
    script.beforeNext(
        FailingPageFile.Call.PUNCH,
        () -> {
          thread.start();
          while (thread.isAlive() && !punched.pages().lock.hasQueuedThread(thread)) {
            Thread.onSpinWait();
          }
        });

    long reclaimed = server.scan(1).reclaimed();

    expect.that(script.nextHasCome(), "nothing was punched");
    expect.that(reclaimed == 1, "reclaimed " + reclaimed);
    join(thread);
    if (failure.get() != null) {
      throw new AssertionError("in the punch", failure.get());
    }
    model.ranges.get(oldest.range()).lose(oldest.page());
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }
}
