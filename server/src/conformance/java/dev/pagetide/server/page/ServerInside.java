package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import java.util.List;

/** A server under test whose inside can be looked at, because it runs in the test's process. */
public interface ServerInside extends RangeUnderTest.Server {
  /** What lies beneath a range that was opened here. */
  ShrinkablePageRange core(RangeUnderTest range);

  /** What lies beneath every range that was opened here, those that have ended included. */
  List<ShrinkablePageRange> cores();

  /** The server's shrinker. */
  Shrinker shrinker();

  /** The server's whole budget. */
  PageBudget budget();

  /**
   * How many rounds to go where a race in this process takes so many: fewer where a call is an rpc,
   * which takes a thousand times as long.
   */
  int rounds(int inProcess);

  /** Ends every session that was opened here and has not ended; returns once that is done. */
  void closeRanges();

  /** Cheap enough for every step: bits, words, charge and the kernel tell of the same memory. */
  @Override
  default void check() {
    long resident = 0;
    for (ShrinkablePageRange range : cores()) {
      if (range.isClosed()) {
        continue;
      }
      long kernel = Invariants.residentPages(range);
      PageCounts counts = range.counts();
      if (kernel - range.file().layout().bookkeepingPages() != counts.available() + counts.used()
          || range.pages().count() != counts.available() + counts.used()
          || counts.contradictions() != 0) {
        throw new AssertionError(range + ": " + counts + ", kernel " + kernel);
      }
      resident += kernel;
    }
    if (resident != budget().chargedPages()) {
      throw new AssertionError(budget() + ", resident " + resident);
    }
  }
}
