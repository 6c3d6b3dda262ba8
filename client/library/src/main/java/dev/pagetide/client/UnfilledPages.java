package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The pages of one range that scopes were told are fresh, and that no scope has called {@linkplain
 * UsedPages#filled filled} since.
 *
 * <p>Any number of threads may call any method at once. While there is no such page, and no scope
 * waits for the server, {@link #isEmpty} is all that a scope costs here: one volatile read.
 */
/*
 * Why no scope can miss that a page is fresh. Take scope A, whose request makes the server give
 * page p new memory, and scope B of the same page, which the server tells nothing, because p holds
 * memory by then.
 *
 * A registers an Ask for p before it sends its request, and B looks here after it has found that p
 * holds memory: it has read p's word with acquire, or has got its own answer. The server gives p
 * memory after it has got A's request. So the Ask is there before B can find p with memory, and
 * what is left to show is that p stays here until B has looked.
 *
 * The Ask ends with A's answer, in one step under the lock: the pages that the answer calls fresh
 * become unfilled as the Ask goes. An answer that does not come makes all its pages unfilled,
 * because the server may have given them memory. So p is under an Ask or unfilled from before it
 * gets its memory until a scope that was told calls it filled. Pages that become fresh because an
 * earlier use of them was never answered (UncertainPages) are added here before they are forgotten
 * there.
 *
 * What B makes of an Ask that has not ended: where the file is mapped, A asked for p because its
 * word was FREE a moment ago, so p is fresh, and B is told so at once. (After many rounds in which
 * words were FREE and then were not, A asks for all its pages: a warm one then passes for fresh,
 * and is filled once more.) Where it is not mapped, A asks for all its pages, and most are warm; so
 * B waits for A's answer. It waits for the Asks that were there when it came and for no later one,
 * because a later Ask cannot have given p the memory that B has found; and no longer than its own
 * time, after which it takes the page as fresh.
 *
 * A thread can call p filled only in an open scope. So p has been USED since it was told, its
 * memory is the same, and what this forgets is no later freshness.
 *
 * LOCKS: a leaf. Nobody calls out, or waits, with the lock held.
 */
final class UnfilledPages {

  @GuardedBy("this")
  private final BitSet unfilled = new BitSet();

  /** The requests of scopes that were not answered yet. */
  @GuardedBy("this")
  private final List<Ask> asks = new ArrayList<>();

  /** Written with the lock held; read by anybody. */
  private volatile boolean empty = true;

  /**
   * One request of a scope, from before it is sent until its answer is known, or it is known that
   * none will come.
   */
  static final class Ask {
    private final BitSet pages;
    private final CountDownLatch settled = new CountDownLatch(1);

    private Ask(BitSet pages) {
      this.pages = pages;
    }
  }

  /**
   * Whether nothing is unfilled and no scope asks: then only the server's answer can name a page
   * fresh.
   */
  boolean isEmpty() {
    return empty;
  }

  /** A scope is about to ask the server for {@code pages}. Exactly one {@link #settle} ends it. */
  synchronized Ask ask(List<PageInterval> pages) {
    Ask ask = new Ask(FreshPages.bits(pages));
    asks.add(ask);
    empty = false;
    return ask;
  }

  /**
   * The request has ended.
   *
   * @param maybeFresh which of the pages asked for are fresh; all of them if no answer will come
   */
  void settle(Ask ask, List<PageInterval> maybeFresh) {
    synchronized (this) {
      asks.remove(ask);
      add(FreshPages.bits(maybeFresh));
    }
    ask.settled.countDown();
  }

  /** Pages that a scope is about to be told are fresh, for another reason than an answer. */
  synchronized void add(BitSet fresh) {
    unfilled.or(fresh);
    empty = unfilled.isEmpty() && asks.isEmpty();
  }

  /** These pages hold their bytes now. */
  synchronized void filled(List<PageInterval> pages) {
    unfilled.andNot(FreshPages.bits(pages));
    empty = unfilled.isEmpty() && asks.isEmpty();
  }

  /**
   * What a scope over {@code [startPage, endPage)}, which holds its pages already, is told: {@code
   * fresh}, and what others have not filled.
   *
   * @param waitNanos how long to wait for the answers that others wait for; then, and if this
   *     thread is interrupted, their pages count as fresh
   */
  FreshPages report(int startPage, int endPage, FreshPages fresh, long waitNanos) {
    BitSet told = new BitSet();
    long deadlineNanos = waitNanos <= 0 ? 0 : System.nanoTime() + waitNanos;
    for (Ask ask : asksFor(startPage, endPage)) {
      if (waitNanos <= 0 || !awaitUntil(ask, deadlineNanos)) {
        told.or(ask.pages);
      }
    }
    synchronized (this) {
      told.or(unfilled);
    }
    told.clear(0, startPage);
    told.clear(endPage, Math.max(endPage, told.length()));
    if (told.isEmpty()) {
      return fresh;
    }
    told.or(FreshPages.bits(fresh.intervals()));
    return FreshPages.of(told);
  }

  private synchronized List<Ask> asksFor(int startPage, int endPage) {
    List<Ask> found = new ArrayList<>();
    for (Ask ask : asks) {
      int page = ask.pages.nextSetBit(startPage);
      if (page >= 0 && page < endPage) {
        found.add(ask);
      }
    }
    return found;
  }

  private static boolean awaitUntil(Ask ask, long deadlineNanos) {
    try {
      return ask.settled.await(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
