package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Scopes that overlap: the first makes a page USED, the last one stops it, never an earlier one.
 */
final class PageUsersTest {
  private static final int PAGES = 6;
  private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(5);

  private final PageTable words = new PageTable(Arena.ofAuto().allocate(PAGES * 8L, 8));
  private final PageUsers users = new PageUsers(PAGES);
  private final AtomicLong clock = new AtomicLong();

  private void enter(int start, int end) {
    users.enter(start, end, PATIENCE_NANOS, this::stop);
    for (int page = start; page < end; page++) {
      words.casWord(page, 0, PageWord.available(0)); // the server's part
    }
    PageEdges.toUsed(words, start, end);
  }

  private @Nullable CompletableFuture<Void> stop(int start, int end) {
    PageEdges.toAvailable(words, start, end, PageWord.available(clock.incrementAndGet()));
    return null;
  }

  private void leave(int start, int end, List<String> stopped) {
    assertThat(users.leave(start, end, (from, to) -> noted(stopped, from, to))).isNull();
  }

  private static @Nullable CompletableFuture<Void> noted(List<String> stopped, int start, int end) {
    stopped.add(start + ".." + end);
    return null;
  }

  private boolean isUsed(int page) {
    return words.wordAcquire(page) == PageWord.USED_WORD;
  }

  @Test
  void leave_othersAreIn_stopsOnlyPagesWithoutUsers() {
    enter(0, 4);
    enter(2, 6);

    List<String> stopped = new ArrayList<>();
    leave(0, 4, stopped);
    leave(2, 6, stopped);

    assertThat(stopped).containsExactly("0..2", "2..6");
  }

  @Test
  void leave_userInTheMiddle_stopsTheRunsAroundIt() {
    enter(0, 6);
    enter(2, 3);

    List<String> stopped = new ArrayList<>();
    leave(0, 6, stopped);

    assertThat(stopped).containsExactly("0..2", "3..6");
  }

  @Test
  void leave_stopFails_letsOthersInAllTheSame() {
    enter(0, 6);
    enter(2, 3);
    assertThatThrownBy(() ->
            users.leave(
                0,
                6,
                (start, end) -> {
                  throw new IllegalStateException("no connection");
                }))
        .hasMessage("no connection");

    enter(0, 2);
    List<String> stopped = new ArrayList<>();
    leave(0, 3, stopped);

    assertThat(stopped).containsExactly("0..3");
  }

  @Test
  void leave_stopIsACall_letsOthersInWhenItHasEnded() {
    CompletableFuture<Void> call = new CompletableFuture<>();
    users.enter(0, 2, PATIENCE_NANOS, this::stop);

    CompletableFuture<Void> left = users.leave(0, 2, (start, end) -> call);

    assertThat(left).isNotNull().isNotDone();
    PagetideException refused =
        catchThrowableOfType(
            PagetideException.class, () -> users.enter(0, 2, 1, (start, end) -> null));
    assertThat(refused.code()).isEqualTo(StatusCode.DEADLINE_EXCEEDED);
    assertThat(refused).hasMessageContaining("page 0").hasMessageContaining("call_timeout_ms=0");
    call.completeExceptionally(new IllegalStateException("no connection"));
    assertThat(left).isCompletedExceptionally();
    users.enter(0, 2, 1, this::stop);
  }

  @Test
  void enter_deadlinePassesAtALaterPage_stopsThePagesBeforeIt() {
    users.enter(2, 3, PATIENCE_NANOS, this::stop);
    var _ = users.leave(2, 3, (start, end) -> new CompletableFuture<>());
    users.enter(1, 2, PATIENCE_NANOS, this::stop);
    List<String> stopped = new ArrayList<>();

    assertThatThrownBy(() -> users.enter(0, 4, 1, (start, end) -> noted(stopped, start, end)))
        .isInstanceOf(PagetideException.class);

    assertThat(stopped).containsExactly("0..1"); // page 1 has another user still
    leave(1, 2, stopped);
    assertThat(stopped).containsExactly("0..1", "1..2");
  }

  @Test
  void enter_interruptedWhileAPageIsStopped_givesUp() throws Exception {
    users.enter(0, 1, PATIENCE_NANOS, this::stop);
    CompletableFuture<Void> call = new CompletableFuture<>();
    var _ = users.leave(0, 1, (start, end) -> call);
    CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
    CompletableFuture<PagetideException> thrown = new CompletableFuture<>();
    Thread waiter =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              try {
                users.enter(0, 1, PATIENCE_NANOS, this::stop);
              } catch (PagetideException e) {
                thrown.complete(e);
              }
              interrupted.complete(Thread.currentThread().isInterrupted());
            });
    await().until(() -> waiter.getState() == Thread.State.TIMED_WAITING);

    waiter.interrupt();

    await().until(interrupted::isDone);
    assertThat(interrupted.join()).isTrue();
    assertThat(thrown).isDone();
    assertThat(thrown.join().code()).isEqualTo(StatusCode.CANCELLED);
    assertThat(thrown.join().outcomeUnknown()).isFalse();
    call.complete(null);
    users.enter(0, 1, PATIENCE_NANOS, this::stop);
  }

  /**
   * Would show a page that is stopped under somebody who has entered it and found it USED: the
   * first-and-last race. FORBIDDEN: a page inside a scope that is not USED.
   */
  @Test
  void enterAndLeave_manyThreads_pageIsUsedWhileAnybodyIsIn() throws Exception {
    int threads = 4;
    CountDownLatch start = new CountDownLatch(threads);
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      List<Future<?>> runs = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        Random random = new Random(i);
        runs.add(
            pool.submit(() -> {
              start.countDown();
              start.await();
              for (int round = 0; round < 100_000; round++) {
                int from = random.nextInt(PAGES);
                int to = from + 1 + random.nextInt(PAGES - from);
                enter(from, to);
                for (int look = 0; look < 3; look++) {
                  for (int page = from; page < to; page++) {
                    assertThat(isUsed(page)).as("page %d, round %d", page, round).isTrue();
                  }
                }
                var _ = users.leave(from, to, this::stop);
              }
              return null;
            }));
      }
      for (Future<?> run : runs) {
        run.get();
      }
    }

    for (int page = 0; page < PAGES; page++) {
      assertThat(isUsed(page)).as("page %d at rest", page).isFalse();
    }
  }
}
