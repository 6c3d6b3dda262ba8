package dev.pagetide.client;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What does a hit of a {@link PageCache} cost: get a loaded tile and close the lease?
 *
 * <p>The sketch: a lookup in a hash map, two compare-and-sets on the count of leases, a second
 * clock read and an object, on top of using and stopping the pages. They are some 100 ns, whether
 * the tile has one page or 16. The limit for 16 pages is 3 times the bare compare-and-sets and
 * clock read.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class PageCacheBenchmark {
  private static final int PAGES = 16;
  private static final int TILES = 64;
  private static final Integer KEY = 7;

  private final ServerProcess server = startServer();
  private final PagetideClient client =
      PagetideClient.connect(
          server.directory(), ClientOptions.DEFAULT.withAccess(AccessMode.SHARED));
  private final PageCache<Integer> small = cache(1);
  private final PageCache<Integer> large = cache(PAGES);

  /** Words of nobody's pages, in memory that may be unmapped as a range's table may. */
  private final PageTable bare = new PageTable(Arena.ofShared().allocate(PAGES * 8L, 64));

  /** Caches with some loaded tiles. */
  public PageCacheBenchmark() {
    for (int page = 0; page < PAGES; page++) {
      bare.casWord(page, 0, PageWord.USED_WORD);
    }
    for (int key = 0; key < TILES; key++) {
      small.get(key, (k, bytes) -> bytes.fill((byte) 1)).close();
      large.get(key, (k, bytes) -> bytes.fill((byte) 1)).close();
    }
  }

  private static ServerProcess startServer() {
    try {
      return ServerProcess.start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private PageCache<Integer> cache(int tilePages) {
    return PageCache.over(
        client.open(OpenOptions.ofSize((long) TILES * tilePages * 4096)), tilePages);
  }

  /** Ends the server. */
  @TearDown
  public void close() throws IOException {
    client.close();
    server.close();
  }

  /** The baseline for one page: USED to AVAILABLE and back, stamped. */
  @Benchmark
  public void bareOnePage() {
    bareOf(1);
  }

  /** The baseline for 16 pages: all to AVAILABLE with one stamp, all back. */
  @Benchmark
  public void bareSixteenPages() {
    bareOf(PAGES);
  }

  private void bareOf(int pages) {
    long available = PageWord.available(System.nanoTime());
    for (int page = 0; page < pages; page++) {
      bare.casWord(page, PageWord.USED_WORD, available);
    }
    for (int page = 0; page < pages; page++) {
      bare.casWord(page, available, PageWord.USED_WORD);
    }
  }

  /** A hit on a tile of one page. */
  @Benchmark
  public void hitOnOnePage() {
    small.get(KEY, PageCacheBenchmark::refuse).close();
  }

  /** A hit on a tile of 16 pages. */
  @Benchmark
  public void hitOnSixteenPages() {
    large.get(KEY, PageCacheBenchmark::refuse).close();
  }

  private static void refuse(Integer key, MemorySegment bytes) {
    throw new IllegalStateException("key " + key + " is not loaded: " + bytes);
  }
}
