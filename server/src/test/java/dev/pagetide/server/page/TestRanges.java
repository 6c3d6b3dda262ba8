package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.shm.PageState;
import java.util.ArrayList;
import java.util.List;

/** A shrinker, a budget and ranges on real memfds, made for one test and closed with it. */
final class TestRanges implements AutoCloseable {
  static final long UNLIMITED_PAGES = 1L << 40;
  static final long MAX_RANGE_BYTES = 4L << 20;

  final PageBudget budget;
  final Shrinker shrinker;
  final List<ShrinkablePageRange> ranges = new ArrayList<>();
  private final PageFileMaker files;
  private long nextId = 1;

  TestRanges(long budgetPages, PageClock clock, PageFileMaker files) {
    this(budgetPages, clock, files, PageObserver.NONE, ReclaimConfig.NONE);
  }

  TestRanges(
      long budgetPages,
      PageClock clock,
      PageFileMaker files,
      PageObserver observer,
      ReclaimConfig config) {
    this(budgetPages, clock, files, observer, config, HugePages.NONE);
  }

  private TestRanges(
      long budgetPages,
      PageClock clock,
      PageFileMaker files,
      PageObserver observer,
      ReclaimConfig config,
      HugePages hugePages) {
    this.budget = PageBudget.root("--max-resident-bytes", budgetPages);
    this.shrinker = new Shrinker(budget, clock, observer, config, hugePages);
    this.files = files;
  }

  /** Without a limit, on a host that may force huge pages. */
  static TestRanges on(HugePages hugePages) {
    return new TestRanges(
        UNLIMITED_PAGES,
        PageClock.MONOTONIC,
        PageFileMaker.MEMFD,
        PageObserver.NONE,
        ReclaimConfig.NONE,
        hugePages);
  }

  static TestRanges unlimited() {
    return new TestRanges(UNLIMITED_PAGES, PageClock.MONOTONIC, PageFileMaker.MEMFD);
  }

  static TestRanges withBudget(long pages) {
    return new TestRanges(pages, PageClock.MONOTONIC, PageFileMaker.MEMFD);
  }

  /** Registers a range of {@code pages} pages. */
  ShrinkablePageRange open(int pages) {
    return open(pages, budget);
  }

  /** As {@link #open(int)}, charged to a budget of its own, as each session's range is. */
  ShrinkablePageRange openSession(int pages) {
    return open(pages, budget.child("--max-resident-bytes-per-session", UNLIMITED_PAGES));
  }

  ShrinkablePageRange open(int pages, PageBudget charged) {
    RangeConfig config = new RangeConfig(files, Math.max(MAX_RANGE_BYTES, bytes(pages)), 1);
    ShrinkablePageRange range =
        ShrinkablePageRange.register(
            nextId++, RangeMode.PAGES, bytes(pages), config, charged, shrinker);
    ranges.add(range);
    return range;
  }

  long bytes(int pages) {
    return (long) pages * files.pageSize();
  }

  /** The states of all pages, one letter each: F, A, U. */
  static String map(ShrinkablePageRange range) {
    StringBuilder map = new StringBuilder();
    for (PageState state : range.states(0, range.pageCount())) {
      map.append(state.name().charAt(0));
    }
    return map.toString();
  }

  /** Asserts what must hold of all ranges, the budget and the counters while nothing runs. */
  void checkInvariants() {
    Invariants.check(budget, shrinker, ranges);
  }

  @Override
  public void close() {
    ranges.forEach(ShrinkablePageRange::close);
  }
}
