package dev.pagetide.server.page;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.shm.PageState;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** The random-operation suite's server in this process, with a clock that ticks at each look. */
final class InProcess implements RangeUnderTest.Server {
  private final AtomicLong clock = new AtomicLong();
  private final TestRanges ranges;

  /** A server with this budget, bookkeeping pages included. */
  InProcess(long budgetPages) {
    this.ranges = new TestRanges(budgetPages, clock::incrementAndGet, PageFileMaker.MEMFD);
  }

  @Override
  public int pageSize() {
    return Memfd.systemPageSize();
  }

  @Override
  public RangeUnderTest open(int pages) {
    PageBudget own =
        ranges.budget.child("--max-resident-bytes-per-session", ranges.budget.limitPages());
    return new InProcessRange(ranges.open(pages, own));
  }

  @Override
  public long scan(long pages) {
    return ranges.shrinker.scan(pages).reclaimed();
  }

  @Override
  public long count() {
    return ranges.shrinker.count();
  }

  @Override
  public void check() {
    long resident = 0;
    for (ShrinkablePageRange range : ranges.ranges) {
      long kernel = Invariants.residentPages(range);
      PageCounts counts = range.counts();
      if (kernel - range.file().layout().bookkeepingPages() != counts.available() + counts.used()
          || range.pages().count() != counts.available() + counts.used()
          || counts.contradictions() != 0) {
        throw new AssertionError(range + ": " + counts + ", kernel " + kernel);
      }
      resident += kernel;
    }
    if (resident != ranges.budget.chargedPages()) {
      throw new AssertionError(ranges.budget + ", resident " + resident);
    }
  }

  @Override
  public void close() {
    ranges.checkInvariants();
    ranges.close();
  }

  private record InProcessRange(ShrinkablePageRange range) implements RangeUnderTest {
    @Override
    public int pageCount() {
      return range.pageCount();
    }

    @Override
    public Optional<BitSet> use(BitSet pages) {
      try {
        return Optional.of(Pages.toBits(range.useRange(Pages.spans(pageCount(), pages))));
      } catch (PageFailure.NoMemory e) {
        return Optional.empty();
      }
    }

    @Override
    public void stop(BitSet pages) {
      range.stopUsingRange(Pages.spans(pageCount(), pages));
    }

    @Override
    public boolean write(long offset, byte[] bytes) {
      try {
        range.write(offset, ByteBuffer.wrap(bytes));
        return true;
      } catch (PageFailure.NotUsed e) {
        return false;
      }
    }

    @Override
    public boolean zero(long offset, int length) {
      try {
        range.fillZero(offset, length);
        return true;
      } catch (PageFailure.NotUsed e) {
        return false;
      }
    }

    @Override
    public Optional<byte[]> read(long offset, int length) {
      try {
        return Optional.of(Pages.bytesAt(range, offset, length));
      } catch (PageFailure.NotUsed e) {
        return Optional.empty();
      }
    }

    @Override
    public PageState[] states() {
      return range.states(0, range.pageCount());
    }

    @Override
    public void close() {
      range.close();
    }
  }
}
