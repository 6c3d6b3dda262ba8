package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;

/** Scopes of a mapped range that several threads fill, while the server takes pages back. */
final class SharedFreshnessTest {

  private static final ClientOptions SHARED = ClientOptions.DEFAULT.withAccess(AccessMode.SHARED);
  private static final int PAGES = 8;
  private static final int FILLERS = 4;
  private static final int RECLAIMED = 2_000;
  private static final int FILLS = 2_000;

  private final LongAdder reclaimed = new LongAdder();
  private final LongAdder fills = new LongAdder();

  @Test
  void use_refillThrewOnAMappedRange_isToldAgainUntilFilled() throws Exception {
    try (ServerProcess server = ServerProcess.start();
        PagetideClient client = PagetideClient.connect(server.directory(), SHARED);
        PageRange range = client.open(OpenOptions.ofSize(PAGES * 4096))) {
      assertThatThrownBy(
              () -> {
                try (UsedPages pages = range.use(0, 4)) {
                  assertThat(pages.fresh().pageCount()).isEqualTo(4);
                  throw new IllegalStateException("the refill failed");
                }
              })
          .hasMessage("the refill failed");

      try (UsedPages pages = range.use(0, 8)) {
        assertThat(pages.fresh().pageCount()).isEqualTo(8);
        pages.filled();
      }

      try (UsedPages pages = range.use(0, 8)) {
        assertThat(pages.fresh().isEmpty()).isTrue();
      }
    }
  }

  /**
   * Would show a thread that is told "not fresh" of a page that another thread has not filled yet.
   * FORBIDDEN: a byte that is not the page's own in a scope that was not told that it is fresh.
   */
  @Test
  void use_threadsFillTheSamePagesWhileTheServerScans_neverSeesAnUnfilledPageAsFilled()
      throws Exception {
    long seed = new Random().nextLong();
    System.out.println("SharedFreshnessTest: seed " + seed);
    AtomicBoolean ended = new AtomicBoolean();
    try (ServerProcess server = ServerProcess.start();
        PagetideClient client = PagetideClient.connect(server.directory(), SHARED);
        PagetideClient operator = PagetideClient.connect(server.directory());
        PageRange range = client.open(OpenOptions.ofSize(PAGES * 4096));
        ExecutorService threads = Executors.newCachedThreadPool()) {
      List<Future<?>> running = new ArrayList<>();
      running.add(threads.submit(() -> scanUntil(ended, operator.shrinker())));
      for (int i = 0; i < FILLERS; i++) {
        Random random = new Random(seed + i);
        running.add(threads.submit(() -> fillUntil(ended, range, random)));
      }

      try {
        await()
            .atMost(Duration.ofMinutes(2))
            .until(() ->
                running.stream().anyMatch(Future::isDone)
                    || (reclaimed.sum() >= RECLAIMED && fills.sum() >= FILLS));
      } finally {
        ended.set(true);
      }

      for (Future<?> task : running) {
        var _ = task.get();
      }
      assertThat(reclaimed.sum()).isGreaterThanOrEqualTo(RECLAIMED);
      assertThat(fills.sum()).isGreaterThanOrEqualTo(FILLS);
    }
  }

  private void scanUntil(AtomicBoolean ended, ShrinkerClient shrinker) {
    while (!ended.get()) {
      reclaimed.add(shrinker.scan(2, ShrinkerClient.ALL_RANGES, false).reclaimedPages());
    }
  }

  private void fillUntil(AtomicBoolean ended, PageRange range, Random random) {
    for (int round = 0; !ended.get(); round++) {
      int start = random.nextInt(PAGES);
      int end = start + 1 + random.nextInt(Math.min(2, PAGES - start));
      try (UsedPages pages = range.use(start, end)) {
        FreshPages fresh = pages.fresh();
        for (int page = start; page < end; page++) {
          byte[] bytes = new byte[range.pageSize()];
          Arrays.fill(bytes, (byte) (page + 1));
          long offset = (long) (page - start) * range.pageSize();
          if (fresh.contains(page)) {
            pages.write(offset, bytes);
            fills.increment();
          } else {
            assertThat(pages.read(offset, range.pageSize()))
                .as("page %d, round %d", page, round)
                .isEqualTo(bytes);
          }
        }
        pages.filled();
      }
    }
  }
}
