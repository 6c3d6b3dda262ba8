package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/**
 * Scopes that overlap: the first makes a page USED, the last one stops it, never an earlier one.
 */
final class PageUsersTest {
  private static final int PAGES = 6;

  private final PageTable words = new PageTable(Arena.ofAuto().allocate(PAGES * 8L, 8));
  private final PageUsers users = new PageUsers(PAGES);
  private final AtomicLong clock = new AtomicLong();

  private void enter(int start, int end) {
    users.enter(start, end);
    for (int page = start; page < end; page++) {
      words.casWord(page, 0, PageWord.available(0)); // the server's part
    }
    PageEdges.toUsed(words, start, end);
  }

  private void stop(int start, int end) {
    PageEdges.toAvailable(words, start, end, PageWord.available(clock.incrementAndGet()));
  }

  private boolean isUsed(int page) {
    return words.wordAcquire(page) == PageWord.USED_WORD;
  }

  @Test
  void leave_othersAreIn_stopsOnlyPagesWithoutUsers() {
    enter(0, 4);
    enter(2, 6);

    List<String> stopped = new ArrayList<>();
    users.leave(0, 4, (start, end) -> stopped.add(start + ".." + end));
    users.leave(2, 6, (start, end) -> stopped.add(start + ".." + end));

    assertThat(stopped).containsExactly("0..2", "2..6");
  }

  @Test
  void leave_userInTheMiddle_stopsTheRunsAroundIt() {
    enter(0, 6);
    enter(2, 3);

    List<String> stopped = new ArrayList<>();
    users.leave(0, 6, (start, end) -> stopped.add(start + ".." + end));

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
    users.leave(0, 3, (start, end) -> stopped.add(start + ".." + end));

    assertThat(stopped).containsExactly("0..3");
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
                users.leave(from, to, this::stop);
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
