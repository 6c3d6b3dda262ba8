package dev.pagetide.client;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The client process of {@link SharedStressTest}: uses, checks, writes and stops random pages
 * through its mapping, and ends with 1 at the first byte that is not what it must be.
 *
 * <p>Each thread has pages of its own and knows what it wrote there last: a page that is reported
 * fresh must be zeros all over, any other must hold the last pattern, and a page in use must keep
 * what is written into it for as long as it is in use.
 */
final class SharedStress {
  private static final int PAGES_PER_THREAD = 96;
  private static final int MAX_SPAN = 4;
  private static final int HELD_AT_ONCE = 6;

  private final PageRange range;
  private final int firstPage;
  private final long rounds;
  private final Random random;

  /** What was written to each page last; 0 before the first time. */
  private final long[] sequence = new long[PAGES_PER_THREAD];

  private long written;

  private SharedStress(PageRange range, int firstPage, long rounds, long seed) {
    this.range = range;
    this.firstPage = firstPage;
    this.rounds = rounds;
    this.random = new Random(seed);
  }

  /** Arguments: the server's directory, a seed, and the rounds of both threads together. */
  public static void main(String[] arguments) throws Exception {
    long seed = Long.parseLong(arguments[1]);
    long rounds = Long.parseLong(arguments[2]) / 2;
    ClientOptions options = ClientOptions.DEFAULT.withAccess(AccessMode.SHARED);
    try (PagetideClient client = PagetideClient.connect(Path.of(arguments[0]), options);
        PageRange range = client.open(new OpenOptions("stress", 2L * PAGES_PER_THREAD * 4096));
        ExecutorService threads = Executors.newFixedThreadPool(2)) {
      System.out.println("open");
      SharedStress scopes = new SharedStress(range, 0, rounds, seed);
      SharedStress pairs = new SharedStress(range, PAGES_PER_THREAD, rounds, ~seed);
      List<Future<?>> runs = new ArrayList<>();
      runs.add(threads.submit(scopes::useInScopes));
      runs.add(threads.submit(pairs::useInPairs));
      for (Future<?> run : runs) {
        run.get();
      }
      System.out.println("done");
    }
    System.exit(0); // an exception above has ended this process with 1
  }

  /** Scopes that overlap, held for a while, with the raw bytes. */
  private void useInScopes() {
    Deque<UsedPages> held = new ArrayDeque<>();
    for (long round = 0; round < rounds; round++) {
      if (held.size() == HELD_AT_ONCE) {
        UsedPages oldest = held.removeFirst();
        checkAll(oldest.startPage(), oldest.endPage(), oldest.segment(), "before its stop");
        oldest.close();
      }
      int start = random.nextInt(PAGES_PER_THREAD - MAX_SPAN);
      int end = start + 1 + random.nextInt(MAX_SPAN);
      UsedPages pages = range.use(firstPage + start, firstPage + end);
      MemorySegment bytes = pages.segment();
      forget(pages.fresh());
      checkAll(pages.startPage(), pages.endPage(), bytes, "after its use");
      for (int page = start; page < end; page++) {
        long sequence = next(page);
        long offset = (long) (page - start) * range.pageSize();
        for (int word = 0; word < wordsInPage(); word++) {
          bytes.set(
              ValueLayout.JAVA_LONG, offset + word * 8L, pattern(firstPage + page, sequence, word));
        }
      }
      pages.filled();
      held.addLast(pages);
    }
    held.forEach(UsedPages::close);
  }

  /** The bare pair, with the range's own reads and writes. */
  private void useInPairs() {
    ByteBuffer page = ByteBuffer.allocate(range.pageSize()).order(ByteOrder.nativeOrder());
    for (long round = 0; round < rounds; round++) {
      int index = random.nextInt(PAGES_PER_THREAD);
      int number = firstPage + index;
      long offset = (long) number * range.pageSize();
      forget(range.useRange(number, number + 1));
      range.read(offset, page.clear());
      checkAll(number, number + 1, MemorySegment.ofBuffer(page.flip()), "after its use");
      long sequence = next(index);
      LongBuffer words = page.clear().asLongBuffer();
      for (int word = 0; word < wordsInPage(); word++) {
        words.put(word, pattern(number, sequence, word));
      }
      range.write(offset, page);
      range.read(offset, page.clear());
      checkAll(number, number + 1, MemorySegment.ofBuffer(page.flip()), "after its write");
      range.stopUsingRange(number, number + 1);
    }
  }

  private void forget(FreshPages fresh) {
    for (PageInterval interval : fresh.intervals()) {
      for (int page = interval.startPage(); page < interval.endPage(); page++) {
        sequence[page - firstPage] = 0;
      }
    }
  }

  private long next(int index) {
    sequence[index] = ++written;
    return written;
  }

  private int wordsInPage() {
    return range.pageSize() / Long.BYTES;
  }

  private void checkAll(int startPage, int endPage, MemorySegment bytes, String when) {
    for (int page = startPage; page < endPage; page++) {
      long sequence = this.sequence[page - firstPage];
      long offset = (long) (page - startPage) * range.pageSize();
      for (int word = 0; word < wordsInPage(); word++) {
        long found = bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + word * 8L);
        if (found != pattern(page, sequence, word)) {
          throw new AssertionError(
              "page %d, word %d, write %d: found %x, not %x, %s"
                  .formatted(page, word, sequence, found, pattern(page, sequence, word), when));
        }
      }
    }
  }

  /** What a word of a page holds after its n-th write; zero before the first. */
  private static long pattern(int page, long sequence, int word) {
    return sequence == 0
        ? 0
        : (sequence * 0x9E37_79B9_7F4A_7C15L) ^ ((long) page << 32) ^ (word + 1L);
  }
}
