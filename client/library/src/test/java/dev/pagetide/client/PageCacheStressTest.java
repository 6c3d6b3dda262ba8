package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;

/**
 * One cache, 64 threads, fewer tiles than keys, loaders that throw at times, keys that are
 * invalidated, and an operator that takes pages without pause.
 *
 * <p>Would show a lease over bytes that were reclaimed, that belong to another key, or that no
 * loader has finished. FORBIDDEN: a byte of a lease that is not its key's; two loaders of one key
 * at once; a load that begins with bytes other than zeros.
 */
final class PageCacheStressTest {

  private static final int THREADS = 64;
  private static final int ROUNDS = 3_000;
  private static final int TILE_PAGES = 2;
  private static final int TILES = 96;
  private static final int KEYS = 104;

  private final AtomicIntegerArray loading = new AtomicIntegerArray(KEYS);
  private final LongAdder thrown = new LongAdder();

  @Test
  void get_manyThreadsWhileTheServerScans_neverServesBytesOfNoLoader() throws Exception {
    Long given = Long.getLong("pagetide.seed");
    long seed = given == null ? new Random().nextLong() : given;
    System.out.println("PageCacheStressTest: -Dpagetide.seed=" + seed);
    AtomicBoolean ended = new AtomicBoolean();
    try (ServerProcess server = ServerProcess.start();
        PagetideClient client =
            PagetideClient.connect(
                server.directory(), ClientOptions.DEFAULT.withAccess(AccessMode.SHARED));
        PagetideClient operator = PagetideClient.connect(server.directory());
        PageCache<Integer> cache =
            PageCache.over(
                client.open(OpenOptions.ofSize(TILES * TILE_PAGES * 4096L)), TILE_PAGES);
        ExecutorService threads = Executors.newCachedThreadPool()) {
      Future<Long> scanner = threads.submit(() -> scanUntil(ended, operator.shrinker()));
      List<Future<?>> readers = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        Random random = new Random(seed + i);
        readers.add(threads.submit(() -> read(cache, random)));
      }

      try {
        for (Future<?> reader : readers) {
          reader.get();
        }
      } finally {
        ended.set(true);
      }

      PageCacheStatistics statistics = cache.statistics();
      assertThat(scanner.get()).as("reclaimed pages").isGreaterThan(100);
      assertThat(statistics.lost()).isGreaterThan(50);
      assertThat(statistics.hits()).isGreaterThan(1_000);
      assertThat(statistics.hits() + statistics.misses()).isEqualTo((long) THREADS * ROUNDS);
      assertThat(statistics.misses() - statistics.loads()).isEqualTo(thrown.sum()).isPositive();
    }
  }

  private static long scanUntil(AtomicBoolean ended, ShrinkerClient shrinker) {
    long reclaimed = 0;
    while (!ended.get()) {
      reclaimed += shrinker.scan(8, ShrinkerClient.ALL_RANGES, false).reclaimedPages();
    }
    return reclaimed;
  }

  private void read(PageCache<Integer> cache, Random random) {
    for (int round = 0; round < ROUNDS; round++) {
      // Half of the gets are of few keys, so that threads meet at them.
      int key = random.nextInt(random.nextBoolean() ? 8 : KEYS);
      if (random.nextInt(200) == 0) {
        cache.invalidate(key);
      }
      try (PageCache.Tile tile = cache.get(key, (k, bytes) -> load(k, bytes, random))) {
        check(key, tile.segment());
      } catch (IOException e) {
        thrown.increment();
      }
    }
  }

  private void load(int key, MemorySegment bytes, Random random) throws IOException {
    assertThat(loading.incrementAndGet(key)).as("loaders of key %d", key).isEqualTo(1);
    try {
      long words = bytes.byteSize() / Long.BYTES;
      long end = random.nextInt(8) == 0 ? random.nextLong(words) : words;
      for (long word = 0; word < words; word++) {
        long found = bytes.get(ValueLayout.JAVA_LONG, word * Long.BYTES);
        if (found != 0) {
          throw new AssertionError("key " + key + " is loaded over " + Long.toHexString(found));
        }
      }
      for (long word = 0; word < end; word++) {
        bytes.set(ValueLayout.JAVA_LONG, word * Long.BYTES, pattern(key, word));
      }
      if (end < words) {
        throw new IOException("disk gone");
      }
    } finally {
      loading.decrementAndGet(key);
    }
  }

  private static void check(int key, MemorySegment bytes) {
    for (long offset = 0; offset < bytes.byteSize(); offset += Long.BYTES) {
      long found = bytes.get(ValueLayout.JAVA_LONG, offset);
      if (found != pattern(key, offset / Long.BYTES)) {
        throw new AssertionError(
            "key %d, word %d: found %x".formatted(key, offset / Long.BYTES, found));
      }
    }
  }

  private static long pattern(int key, long word) {
    return 0x5A00_0000_0000_0001L | ((long) key << 32) | (word << 8);
  }
}
