package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.buffer.Clearing;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** An endpoint that ends while its commands wait for memory, or find no thread. */
final class EndpointEndTest {
  private static final long ATTACH = 1;
  private static final long ALLOCATE = 2;
  private static final int SIZE = 2 * Clearing.INLINE_BYTES;

  private final Peer peer = Peer.unix(1000, 1);
  private final PageBudget budget = PageBudget.root("--max-resident-bytes", 60);
  private final Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE);
  private final SessionRegistry sessions =
      new SessionRegistry(
          new SessionConfig(10, 10, 1000, 1000),
          new RangeConfig(PageFileMaker.MEMFD, 1 << 20, 1),
          budget,
          shrinker,
          InstantSource.system());
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final ArrayDeque<Runnable> work = new ArrayDeque<>();
  private final AtomicBoolean noThreads = new AtomicBoolean();
  private final Told told = new Told();
  private final EndpointRegistry endpoints =
      new EndpointRegistry(
          new TransactionConfig(16, 16, TimeUnit.HOURS.toNanos(1), TransactRule.OWN),
          PageClock.MONOTONIC,
          this::execute,
          Runnable::run,
          timer,
          TransactionObserver.NONE);
  private final Session session = sessions.open(peer, "alice", RangeMode.BUFFERS, 1 << 20);
  private final Endpoint alice = endpoints.attach(ATTACH, session, peer, false, told);

  /** Takes every event at once. */
  private static final class Told implements EventSink {
    private final List<Event> events = new ArrayList<>();

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public boolean add(Event event) {
      events.add(event);
      return false;
    }

    @Override
    public void flush() {}

    @Override
    public void end(Throwable why) {}
  }

  private void execute(Runnable task) {
    if (noThreads.get()) {
      throw new OutOfMemoryError("unable to create a thread, as the test says");
    }
    work.add(task);
  }

  private void doWork() {
    for (Runnable next = work.poll(); next != null; next = work.poll()) {
      next.run();
    }
  }

  private Throwable failureOfAllocate() {
    assertThat(told.events).last().isInstanceOf(Event.Failed.class);
    Event.Failed failed = (Event.Failed) told.events.getLast();
    assertThat(failed.command()).isEqualTo(ALLOCATE);
    return failed.why();
  }

  @AfterEach
  void close() {
    endpoints.endAll();
    doWork();
    sessions.end(session, EndReason.CANCELLED);
    timer.shutdownNow();
  }

  @Test
  void end_whileAnAllocateWaitsForMemory_tellsItWhyTheEndpointEnded() {
    Session other = sessions.open(peer, "other", RangeMode.PAGES, 1 << 20);
    var _ = other.range().useRange(0, 40);
    alice.allocate(ALLOCATE, SIZE, false, () -> {});
    doWork();
    assertThat(shrinker.allocationQueue().size()).as("there is no memory for it").isEqualTo(1);

    alice.end(new TransactionFailure.Stopping());

    assertThat(failureOfAllocate()).isInstanceOf(TransactionFailure.Stopping.class);
    sessions.end(other, EndReason.CANCELLED);
  }

  @Test
  void allocate_noThreadIsToBeHad_isRefusedAndLeavesNoBuffer() {
    noThreads.set(true);

    alice.allocate(ALLOCATE, SIZE, false, () -> {});

    assertThat(failureOfAllocate()).isInstanceOf(OutOfMemoryError.class);
    noThreads.set(false);
    alice.allocate(ALLOCATE + 1, 8, false, () -> {});
    doWork();
    assertThat(told.events).last().isEqualTo(new Event.Allocated(ALLOCATE + 1, 0));
  }
}
