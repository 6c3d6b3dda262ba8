package dev.pagetide.server.budget;

import org.jspecify.annotations.Nullable;

/**
 * How the opening of a range pays for its header and page table: with what is free or can be
 * reclaimed right then, or, once it has waited, with what was reserved for it. Confined to one
 * thread at a time.
 */
public final class OpeningCharge {
  /** Of an opening that is refused where there is no memory. */
  public static final OpeningCharge NOW = new OpeningCharge(null, 0, false);

  private final @Nullable PageBudget held;
  private final boolean mayWait;
  private long reserved;

  /**
   * The charge of one attempt.
   *
   * @param held what {@code reserved} pages are charged to; null if there are none
   * @param mayWait whether to answer {@link Answer#WAIT} where waiting may help
   */
  public OpeningCharge(@Nullable PageBudget held, long reserved, boolean mayWait) {
    this.held = held;
    this.reserved = reserved;
    this.mayWait = mayWait;
  }

  /**
   * Charges pages to a new range's budget.
   *
   * @return {@link Answer#WAIT} only if it may wait
   */
  public Answer reserve(Reservations reservations, PageBudget leaf, long pages) {
    if (held != null && pages == reserved && leaf.tryTakeOver(held, pages) == null) {
      reserved = 0;
      return Answer.GRANTED;
    }
    giveBackRest(reservations); // for a limit of the uid's or the session's own
    return reservations.tryReserve(leaf, pages, mayWait);
  }

  /** Gives back what was reserved and is not needed. */
  public void giveBackRest(Reservations reservations) {
    if (held != null && reserved > 0) {
      reservations.giveBack(held, reserved);
      reserved = 0;
    }
  }
}
