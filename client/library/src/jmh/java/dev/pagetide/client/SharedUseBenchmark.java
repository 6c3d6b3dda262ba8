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
 * What does it cost a client to use pages that are warm and to stop using them, through its
 * mapping, with a server in another process that hears nothing of it?
 *
 * <p>The sketch: one compare-and-set for each page to USED, another back, and one clock read: 9 ns
 * each and 20 to 50 ns. A look at the session, at the header and at each word come on top, a few ns
 * and one or two a page. The limit is 1.35 times the bare compare-and-sets and the clock read, and
 * 0 bytes an operation. A scope adds two compare-and-sets a page, on the count of its users, and an
 * object.
 *
 * <p>Beside them: the same by rpc, and a copy of one page's bytes.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class SharedUseBenchmark {
  private static final int PAGES = 16;

  private final ServerProcess server = startServer();
  private final PagetideClient client =
      PagetideClient.connect(
          server.directory(), ClientOptions.DEFAULT.withAccess(AccessMode.SHARED));
  private final PageRange range = client.open(OpenOptions.ofSize(PAGES * 4096L));
  private final PagetideClient other = PagetideClient.connect(server.directory());
  private final PageRange remote = other.attach(range.ticket());

  /** Words of nobody's pages, in memory that may be unmapped as a range's table may. */
  private final PageTable bare = new PageTable(Arena.ofShared().allocate(PAGES * 8L, 64));

  private final MemorySegment page = Arena.global().allocate(range.pageSize(), 64);
  private final MemorySegment otherPage = Arena.global().allocate(range.pageSize(), 64);

  /** Pages that hold memory and are AVAILABLE. */
  public SharedUseBenchmark() {
    range.useRange(0, PAGES);
    range.stopUsingRange(0, PAGES);
    for (int page = 0; page < PAGES; page++) {
      bare.casWord(page, 0, PageWord.USED_WORD);
    }
  }

  private static ServerProcess startServer() {
    try {
      return ServerProcess.start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Ends the server. */
  @TearDown
  public void close() throws IOException {
    other.close();
    client.close();
    server.close();
  }

  /** The baseline for one page: USED to AVAILABLE and back, stamped. */
  @Benchmark
  public void bareOnePage() {
    long available = PageWord.available(System.nanoTime());
    bare.casWord(0, PageWord.USED_WORD, available);
    bare.casWord(0, available, PageWord.USED_WORD);
  }

  /** Use and stop of one page, the plain pair. */
  @Benchmark
  public void onePage() {
    range.useRange(0, 1);
    range.stopUsingRange(0, 1);
  }

  /** A scope of one page. */
  @Benchmark
  public void scopeOfOnePage() {
    range.use(0, 1).close();
  }

  /** Use and stop of one page by rpc. */
  @Benchmark
  public void onePageByRpc() {
    remote.useRange(0, 1);
    remote.stopUsingRange(0, 1);
  }

  /** A copy of one page. */
  @Benchmark
  public void copyOfOnePage() {
    MemorySegment.copy(page, 0, otherPage, 0, page.byteSize());
  }

  /** The baseline for 16 pages: all to AVAILABLE with one stamp, all back. */
  @Benchmark
  public void bareSixteenPages() {
    long available = PageWord.available(System.nanoTime());
    for (int page = 0; page < PAGES; page++) {
      bare.casWord(page, PageWord.USED_WORD, available);
    }
    for (int page = 0; page < PAGES; page++) {
      bare.casWord(page, available, PageWord.USED_WORD);
    }
  }

  /** Use and stop of 16 neighbouring pages, the plain pair. */
  @Benchmark
  public void sixteenPages() {
    range.useRange(0, PAGES);
    range.stopUsingRange(0, PAGES);
  }

  /** A scope of 16 pages. */
  @Benchmark
  public void scopeOfSixteenPages() {
    range.use(0, PAGES).close();
  }
}
