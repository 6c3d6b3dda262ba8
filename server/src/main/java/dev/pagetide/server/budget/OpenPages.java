package dev.pagetide.server.budget;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The number of free pages that requests without the turn may take: newcomers, and requests in the
 * queue behind the first. Thread-safe; see {@link Turns} for the rule.
 */
final class OpenPages {
  /** The open pages while no request has the turn: more than there are. */
  private static final long NO_TURN = Long.MAX_VALUE / 2;

  /**
   * How many of the free pages were already free when the turn began. Others take theirs from this
   * number at once.
   */
  private final AtomicLong open = new AtomicLong(NO_TURN);

  /** Pages for which {@link #tryPass} was called since the start. It only rises. */
  private final AtomicLong passesBegun = new AtomicLong();

  /** How many of these were charged, or will not be charged. It only rises. */
  private final AtomicLong passesOver = new AtomicLong();

  /**
   * Takes pages from those that are open, whether or not they are still free. Afterwards {@link
   * #passed} or {@link #passedNot} must be called.
   */
  boolean tryPass(long pages) {
    passesBegun.addAndGet(pages); // before it takes them: see openAndUnderWay()
    while (true) {
      long left = open.get();
      if (left < pages) {
        passesOver.addAndGet(pages);
        return false;
      }
      if (open.compareAndSet(left, left - pages)) {
        return true;
      }
    }
  }

  /** The pages that were taken are charged. */
  void passed(long pages) {
    passesOver.addAndGet(pages);
  }

  /**
   * The pages that were taken were not free. RACE: they may go to the open pages of another turn;
   * {@link #limitTo} corrects that.
   */
  void passedNot(long pages) {
    open.updateAndGet(left -> Math.min(NO_TURN, left + pages));
    passesOver.addAndGet(pages); // after they are open again: see openAndUnderWay()
  }

  /**
   * A turn begins. {@code freePages} are free and had not gathered for the request that has the
   * turn.
   */
  void turnBegins(long freePages) {
    open.set(freePages);
  }

  /** The turn ends, and no other has begun. */
  void turnEnds() {
    open.set(NO_TURN);
  }

  /** Lowers the open pages to at most the free ones. */
  void limitTo(long freePages) {
    open.accumulateAndGet(freePages, Math::min);
  }

  /**
   * How many pages are open, or were taken from the open ones and may not be charged yet. If the
   * free pages are read after this, at most this many of them did not come back during the turn.
   *
   * <p>ORDER: each newcomer takes four steps: it begins; it takes; it is charged, or gives up what
   * it took; it is over. This method reads how many are over, then what is open, then how many have
   * begun; after that the caller reads what is free. So if this method sees what a newcomer took,
   * one of three holds: the caller sees its charge, this method sees that the pages are open again,
   * or this method counts the newcomer as under way.
   */
  long openAndUnderWay() {
    long over = passesOver.get();
    long leftOpen = open.get();
    long underWay = passesBegun.get() - over;
    return leftOpen + underWay;
  }
}
