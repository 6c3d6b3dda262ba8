package dev.pagetide.client.hostile;

import dev.pagetide.client.FreshPages;
import dev.pagetide.client.PageInterval;
import dev.pagetide.client.PageRange;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;

/**
 * One thread's part of a range: some pages that nobody else touches. It touches them only while it
 * uses them, and knows what each of them must hold. Confined to one thread at a time.
 */
final class CrowdMember {
  private static final int MAX_SPAN = 20;
  private static final int MOST_HELD = 3;

  private final PageRange range;
  private final int firstPage;
  private final Random random;
  private final Deque<PageInterval> held = new ArrayDeque<>();

  /** What was written last to each page; 0: zeros. */
  private final long[] written = new long[CrowdClient.PAGES_PER_THREAD];

  private long writes;
  private long used;
  private long refused;

  CrowdMember(PageRange range, int firstPage, long seed) {
    this.range = range;
    this.firstPage = firstPage;
    this.random = new Random(seed);
  }

  /** Random steps; in the end nothing is in use. */
  CrowdClient.Tally run(long steps) {
    for (long step = 0; step < steps; step++) {
      if (held.size() > random.nextInt(MOST_HELD + 1)) {
        stopOldest();
      } else {
        use();
      }
    }
    return release();
  }

  /** Uses all its pages, in quarters; stops none of those it gets. */
  CrowdClient.Tally hoard() {
    int quarter = CrowdClient.PAGES_PER_THREAD / 4;
    for (int start = 0; start < CrowdClient.PAGES_PER_THREAD; start += quarter) {
      if (take(start, start + quarter)) {
        held.addLast(new PageInterval(start, start + quarter));
      }
    }
    return tally();
  }

  /** Stops everything. */
  CrowdClient.Tally release() {
    stopAll();
    return tally();
  }

  private void stopAll() {
    while (!held.isEmpty()) {
      stopOldest();
    }
  }

  private CrowdClient.Tally tally() {
    CrowdClient.Tally tally = new CrowdClient.Tally(used, refused);
    used = 0;
    refused = 0;
    return tally;
  }

  private void use() {
    int start = random.nextInt(CrowdClient.PAGES_PER_THREAD);
    int end = Math.min(CrowdClient.PAGES_PER_THREAD, start + 1 + random.nextInt(MAX_SPAN));
    for (PageInterval other : held) {
      if (start < other.endPage() && other.startPage() < end) {
        return;
      }
    }
    if (take(start, end)) {
      held.addLast(new PageInterval(start, end));
    } else {
      stopAll(); // others wait for what it has
    }
  }

  /** Uses pages, checks what they hold, and writes something else. */
  private boolean take(int start, int end) {
    FreshPages fresh = CrowdClient.useOrBeRefused(range, firstPage + start, firstPage + end);
    if (fresh == null) {
      refused++;
      return false;
    }
    used++;
    for (int page = start; page < end; page++) {
      if (fresh.contains(firstPage + page)) {
        written[page] = 0;
      }
    }
    check(start, end, "after its use");
    for (int page = start; page < end; page++) {
      written[page] = ++writes << 16 | firstPage + page;
    }
    range.write(offset(start), expected(start, end));
    return true;
  }

  private void stopOldest() {
    PageInterval pages = held.removeFirst();
    check(pages.startPage(), pages.endPage(), "before its stop");
    range.stopUsingRange(firstPage + pages.startPage(), firstPage + pages.endPage());
  }

  private void check(int start, int end, String when) {
    ByteBuffer expected = expected(start, end);
    ByteBuffer found = ByteBuffer.allocate(expected.remaining());
    range.read(offset(start), found);
    int differs = expected.mismatch(found.flip());
    if (differs >= 0) {
      throw new AssertionError(
          "range %d, pages [%d, %d), byte %d %s: found %d, not %d"
              .formatted(
                  range.rangeId(),
                  firstPage + start,
                  firstPage + end,
                  differs,
                  when,
                  found.get(differs),
                  expected.get(differs)));
    }
  }

  private long offset(int page) {
    return (long) (firstPage + page) * range.pageSize();
  }

  private ByteBuffer expected(int start, int end) {
    ByteBuffer bytes = ByteBuffer.allocate((end - start) * range.pageSize());
    for (int page = start; page < end; page++) {
      for (int word = 0; word < range.pageSize() / Long.BYTES; word++) {
        bytes.putLong(written[page]);
      }
    }
    return bytes.flip();
  }
}
