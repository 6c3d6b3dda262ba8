package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.shm.PageState;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/** A server under test without sessions and wires, with a clock that ticks at each look. */
final class InProcess implements ServerInside {
  private final AtomicLong clock = new AtomicLong();
  private final AtomicLong nextId = new AtomicLong(1);
  private final PageBudget budget;
  private final Shrinker shrinker;
  private final RangeConfig config;
  private final List<ShrinkablePageRange> cores = new CopyOnWriteArrayList<>();

  InProcess(ServerTerms wanted) {
    this.budget = PageBudget.root("--max-resident-bytes", wanted.budgetPages());
    this.shrinker = new Shrinker(budget, clock::incrementAndGet, PageObserver.NONE);
    this.config = new RangeConfig(wanted.files(), wanted.maxRangeBytes(), 1);
  }

  @Override
  public RangeUnderTest open(long sizeBytes) {
    PageBudget own = budget.child("--max-resident-bytes-per-session", budget.limitPages());
    ShrinkablePageRange range =
        Refused.told(() ->
            ShrinkablePageRange.register(
                nextId.getAndIncrement(), RangeMode.PAGES, sizeBytes, config, own, shrinker));
    cores.add(range);
    return new InProcessRange(range);
  }

  @Override
  public ShrinkablePageRange core(RangeUnderTest range) {
    return ((InProcessRange) range).range;
  }

  @Override
  public List<ShrinkablePageRange> cores() {
    return cores;
  }

  @Override
  public Shrinker shrinker() {
    return shrinker;
  }

  @Override
  public PageBudget budget() {
    return budget;
  }

  @Override
  public int rounds(int inProcess) {
    return inProcess;
  }

  @Override
  public ScanResult scan(long pages) {
    return shrinker.scan(pages);
  }

  @Override
  public long count() {
    return shrinker.count();
  }

  @Override
  public void closeRanges() {
    cores.forEach(ShrinkablePageRange::close);
  }

  @Override
  public void close() {
    closeRanges();
  }

  private record InProcessRange(ShrinkablePageRange range) implements RangeUnderTest {
    @Override
    public int pageCount() {
      return range.pageCount();
    }

    /** One span goes the way of one span. */
    @Override
    public BitSet use(int... spans) {
      return Pages.toBits(
          Refused.told(() ->
              spans.length == 2 ? range.useRange(spans[0], spans[1]) : range.useRange(set(spans))));
    }

    private PageSpans set(int... spans) {
      PageSpans.Builder builder = range.spans();
      for (int i = 0; i < spans.length; i += 2) {
        builder.add(spans[i], spans[i + 1]);
      }
      return builder.build();
    }

    @Override
    public void stop(int... spans) {
      Refused.told(() -> {
        if (spans.length == 2) {
          range.stopUsingRange(spans[0], spans[1]);
        } else {
          range.stopUsingRange(set(spans));
        }
      });
    }

    @Override
    public void write(long offset, byte[] bytes) {
      Refused.told(() -> range.write(offset, ByteBuffer.wrap(bytes)));
    }

    @Override
    public void fillZero(long offset, long length) {
      Refused.told(() -> range.fillZero(offset, length));
    }

    @Override
    public byte[] read(long offset, int length) {
      return Refused.told(() -> Pages.bytesAt(range, offset, length));
    }

    @Override
    public PageState[] states() {
      return Refused.told(() -> range.states(0, range.pageCount()));
    }

    @Override
    public void vanish() {
      range.close();
    }

    @Override
    public void close() {
      range.close();
    }
  }
}
