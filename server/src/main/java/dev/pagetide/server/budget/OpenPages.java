package dev.pagetide.server.budget;

import java.util.concurrent.atomic.AtomicLong;

/**
 * How many of the free pages those may take who do not have the turn: newcomers, and those in line
 * behind the first. Thread-safe; see {@link Turns} for the rule.
 */
final class OpenPages {
  /** What is open while nobody has the turn: more than there is. */
  private static final long NO_TURN = Long.MAX_VALUE / 2;

  /** Of what is free, how much was so when the turn began. Others take theirs from it at once. */
  private final AtomicLong open = new AtomicLong(NO_TURN);

  /** Pages for which {@link #tryPass} was called since the start: it only rises. */
  private final AtomicLong passesBegun = new AtomicLong();

  /** Of these, how many were charged, or are not going to be: it only rises. */
  private final AtomicLong passesOver = new AtomicLong();

  /**
   * Takes pages from what is open, whether or not they are free still; then {@link #passed} or
   * {@link #passedNot} is to be called.
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

  /** They are charged. */
  void passed(long pages) {
    passesOver.addAndGet(pages);
  }

  /** They were not free. RACE: another turn may have begun since; {@link #limitTo} corrects it. */
  void passedNot(long pages) {
    open.updateAndGet(left -> Math.min(NO_TURN, left + pages));
    passesOver.addAndGet(pages); // after they are open again: see openAndUnderWay()
  }

  /** A turn begins; so many pages are free, and had not gathered for the one whose turn it is. */
  void turnBegins(long freePages) {
    open.set(freePages);
  }

  /** Nobody has the turn. */
  void turnEnds() {
    open.set(NO_TURN);
  }

  /** No more is open than is free. */
  void limitTo(long freePages) {
    open.accumulateAndGet(freePages, Math::min);
  }

  /**
   * How many pages are open, or were taken from what is open and may not be charged yet: of what is
   * free, if that is read after this, no more than this did not come back.
   *
   * <p>ORDER: each newcomer begins, takes, is charged (or gives up what it took), and is over. This
   * reads how many are over, then what is open, then how many have begun; the caller reads what is
   * free then. So of one whose taking is seen here, the caller sees the charge, or this sees that
   * it is open again, or counts it as under way.
   */
  long openAndUnderWay() {
    long over = passesOver.get();
    long leftOpen = open.get();
    long underWay = passesBegun.get() - over;
    return leftOpen + underWay;
  }
}
