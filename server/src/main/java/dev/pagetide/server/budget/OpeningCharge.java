package dev.pagetide.server.budget;

import org.jspecify.annotations.Nullable;

/**
 * How the opening of a range pays for its header and page table: with memory that is free or can be
 * reclaimed at once or, after it has waited, with the pages that were reserved for it. Confined to
 * one thread at a time.
 */
public final class OpeningCharge {
  /** The charge of an opening that does not wait: it is refused if there is no memory. */
  public static final OpeningCharge NOW = new OpeningCharge(null, 0, false);

  private final @Nullable PageBudget held;
  private final boolean mayWait;
  private long reserved;

  /**
   * The charge of one attempt.
   *
   * @param held the budget to which the {@code reserved} pages are charged; null if there are none
   * @param mayWait whether to answer {@link Answer#WAIT} if waiting may help
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
    // Taking over may have failed at a limit of the uid's or of the session's own.
    giveBackRest(reservations);
    return reservations.tryReserve(leaf, pages, mayWait);
  }

  /** Gives back the reserved pages that were not needed. */
  public void giveBackRest(Reservations reservations) {
    if (held != null && reserved > 0) {
      reservations.giveBack(held, reserved);
      reserved = 0;
    }
  }
}
