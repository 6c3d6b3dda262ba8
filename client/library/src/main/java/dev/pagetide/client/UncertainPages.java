package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The pages whose use ended without an answer: the server may have given them new memory, and
 * nobody was told.
 *
 * <p>A page stays here until a use that names it succeeds; stopping it changes nothing, since its
 * old bytes may be gone all the same. Any number of threads may call any method at once.
 */
final class UncertainPages {

  private final int pageCount;

  @GuardedBy("this")
  private final BitSet pages = new BitSet();

  /** Written with the lock held; read by anybody. */
  private volatile boolean empty = true;

  UncertainPages(int pageCount) {
    this.pageCount = pageCount;
  }

  /** Remembers the pages of a use whose outcome is unknown. */
  synchronized void add(List<PageInterval> used) {
    mark(pages, used);
    empty = pages.isEmpty();
  }

  /** Remembers pages that were fresh in a use whose caller never learnt of it. */
  synchronized void add(BitSet fresh) {
    pages.or(fresh);
    empty = pages.isEmpty();
  }

  /** Whether no page is doubtful. */
  boolean isEmpty() {
    return empty;
  }

  /**
   * The pages that a successful use reports as fresh: the server's, and the doubtful ones.
   *
   * @param keeper told of the doubtful ones before they are forgotten here; null for none
   */
  synchronized FreshPages resolve(
      List<PageInterval> used, List<PageInterval> fresh, @Nullable UnfilledPages keeper) {
    BitSet named = new BitSet();
    mark(named, used);
    BitSet result = (BitSet) named.clone();
    result.and(pages);
    if (keeper != null && !result.isEmpty()) {
      keeper.add(result);
    }
    pages.andNot(named);
    empty = pages.isEmpty();
    mark(result, fresh);
    return FreshPages.of(result);
  }

  private void mark(BitSet target, List<PageInterval> intervals) {
    for (PageInterval interval : intervals) {
      int end = Math.min(interval.endPage(), pageCount);
      if (interval.startPage() < end) {
        target.set(interval.startPage(), end);
      }
    }
  }
}
