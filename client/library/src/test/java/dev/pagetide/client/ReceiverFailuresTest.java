package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the application's own code throws, or does to its thread, stops nothing but itself. */
final class ReceiverFailuresTest extends ReceiverCase {

  private final List<Integer> codes = new CopyOnWriteArrayList<>();

  /** What went where Java's uncaught exceptions go. */
  private final List<Throwable> uncaught = new CopyOnWriteArrayList<>();

  private final List<ExecutorService> pools = new ArrayList<>();

  @AfterEach
  void stopPools() {
    pools.forEach(ExecutorService::shutdownNow);
  }

  /** Threads that a handler may be called on. */
  enum Threads {
    VIRTUAL,
    POOL,
    WHERE_EVENTS_COME
  }

  private Executor executor(Threads threads) {
    return switch (threads) {
      case VIRTUAL -> Thread::startVirtualThread;
      case POOL -> pool();
      case WHERE_EVENTS_COME -> Runnable::run;
    };
  }

  private ExecutorService pool() {
    ExecutorService pool =
        Executors.newSingleThreadExecutor(task ->
            Thread.ofPlatform()
                .daemon()
                .uncaughtExceptionHandler((thread, failure) -> uncaught.add(failure))
                .unstarted(task));
    pools.add(pool);
    return pool;
  }

  @ParameterizedTest
  @EnumSource(Threads.class)
  void errors_listenerThrows_everythingGoesOn(Threads threads) {
    open(
        options()
            .withExecutor(executor(threads))
            .withErrors((thread, failure) -> {
              errors.add(failure);
              throw new IllegalStateException("the listener's own", failure);
            }),
        transaction -> {
          codes.add(transaction.code());
          throw new IllegalArgumentException("handler " + transaction.code());
        });

    for (int i = 1; i <= 3; i++) {
      server.transact(i, true, TEXT);
      expectFree(16L * i);
    }
    server.transact(4, false, TEXT);

    assertThat(server.nextReplyAfterFrees(64).getReply().getRefusal()).contains("handler 4");
    assertThat(codes).containsExactly(1, 2, 3, 4);
    assertThat(errors).extracting(Throwable::getMessage).contains("handler 1", "handler 3");
    await().until(server::isAskedForMore);
    if (threads == Threads.POOL) {
      assertThat(uncaught)
          .hasSize(3)
          .allSatisfy(e -> assertThat(e).cause().hasMessage("the listener's own"));
      assertThat(uncaught.getFirst().getSuppressed()).containsExactly(errors.getFirst());
    }
  }

  @Test
  void errors_listenerThrowsWhereEventsCome_streamLives() {
    open(
        options()
            .withErrors((thread, failure) -> {
              errors.add(failure);
              throw new AssertionError("the listener's own");
            }),
        transaction -> codes.add(transaction.code()));
    server.transact(1, true, TEXT);
    ExchangeRequest free = server.next(CommandCase.FREE_BUFFERS);

    server.fail(free, Status.Code.FAILED_PRECONDITION, ErrorReason.NOT_A_BUFFER, "twice");
    server.transact(2, true, TEXT);

    expectFree(32);
    assertThat(codes).containsExactly(1, 2);
    assertThat(errors).singleElement().asString().contains("twice");
    assertThat(server.cancelled).isNotDone();
  }

  @ParameterizedTest
  @EnumSource(Threads.class)
  void handle_leavesItsThreadInterrupted_othersAreNot(Threads threads) {
    List<Boolean> interrupted = new CopyOnWriteArrayList<>();
    Semaphore first = new Semaphore(threads == Threads.WHERE_EVENTS_COME ? 1 : 0);
    open(
        options().withExecutor(executor(threads)),
        transaction -> {
          if (transaction.code() == 1) {
            first.acquire();
          }
          interrupted.add(Thread.currentThread().isInterrupted());
          Thread.currentThread().interrupt();
          if (transaction.code() % 2 == 0) {
            throw new InterruptedException("handler " + transaction.code());
          }
        });

    for (int i = 1; i <= 10; i++) {
      server.transact(i, true, TEXT);
    }
    first.release();
    await().until(() -> interrupted.size() == 10);
    server.transact(11, false, TEXT);

    long[] all = LongStream.rangeClosed(1, 11).map(number -> 16 * number).toArray();
    assertThat(server.nextReplyAfterFrees(all).getReply().getRefusal()).isNotEmpty();
    assertThat(interrupted).hasSize(11).doesNotContain(true);
    assertThat(Thread.interrupted()).isFalse();
    assertThat(errors).hasSize(5).allMatch(e -> e instanceof InterruptedException);
  }

  @Test
  void handle_poolIsShutDown_interruptReachesItAndTheRestIsRefused() {
    ExecutorService pool = pool();
    open(
        options().withExecutor(pool),
        transaction -> {
          codes.add(transaction.code());
          new Semaphore(0).acquire();
        });
    for (int i = 1; i <= 3; i++) {
      server.transact(i, true, TEXT);
    }
    await().until(() -> !codes.isEmpty());

    pool.shutdownNow();

    expectFree(16, 32, 48);
    assertThat(codes).containsExactly(1);
    assertThat(errors).hasSize(3);
    assertThat(errors.getFirst()).isInstanceOf(InterruptedException.class);
    assertThat(errors.subList(1, 3)).allMatch(e -> e instanceof RejectedExecutionException);
    await().until(pool::isTerminated);
  }

  @Test
  void execute_throwsSomethingElse_isRefusedAndFreedAndTheStreamLives() {
    open(
        options()
            .withExecutor(task -> {
              throw new OutOfMemoryError("no thread");
            }),
        transaction -> codes.add(transaction.code()));

    server.transact(1, false, TEXT);
    assertThat(server.nextReplyAfterFrees(16).getReply().getRefusal()).contains("no thread");
    expectFree(16);
    server.transact(2, true, TEXT);
    expectFree(32);
    server.transact(3, true, TEXT);
    expectFree(48);

    assertThat(errors).hasSize(2).allMatch(e -> e instanceof OutOfMemoryError);
    assertThat(codes).isEmpty();
    assertThat(server.cancelled).isNotDone();
  }

  @Test
  void execute_throwsAfterItHasRun_isHandledOnceAndReported() {
    open(
        options()
            .withExecutor(task -> {
              task.run();
              throw new IllegalStateException("too late");
            }),
        transaction -> codes.add(transaction.code()));

    server.transact(1, true, TEXT);
    server.transact(2, false, TEXT);

    assertThat(server.nextReplyAfterFrees(16, 32).getReply().getRefusal())
        .contains("returned without a reply");
    assertThat(codes).containsExactly(1, 2);
    assertThat(errors).hasSize(2).allMatch(e -> "too late".equals(e.getMessage()));
  }

  @Test
  void handle_executorRunsItWhereTheLastReturned_stackDoesNotGrow() {
    List<Runnable> first = new CopyOnWriteArrayList<>();
    List<Integer> depths = new CopyOnWriteArrayList<>();
    open(
        options()
            .withMaxQueued(1)
            .withExecutor(task -> {
              if (first.isEmpty()) {
                first.add(task);
              } else {
                task.run();
              }
            }),
        transaction -> {
          codes.add(transaction.code());
          depths.add(Thread.currentThread().getStackTrace().length);
        });
    for (int i = 1; i <= 200; i++) {
      server.transact(i, false, TEXT);
    }
    assertThat(codes).isEmpty();

    first.getFirst().run();

    assertThat(codes).hasSize(200).isSorted();
    assertThat(depths.getLast()).isEqualTo(depths.get(1));
  }
}
