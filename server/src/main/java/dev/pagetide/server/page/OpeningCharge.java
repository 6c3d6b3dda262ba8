package dev.pagetide.server.page;

import org.jspecify.annotations.Nullable;

/**
 * How the opening of a range pays for its header and page table: with what is free or can be
 * reclaimed right then, or, once it has waited, with what was reserved for it. Confined to one
 * thread at a time.
 */
public final class OpeningCharge {
  /** Of an opening that is refused where there is no memory. */
  static final OpeningCharge NOW = new OpeningCharge(null, 0, false);

  private final @Nullable PageBudget held;
  private final boolean mayWait;
  private long reserved;

  /**
   * The charge of one attempt.
   *
   * @param held what {@code reserved} pages are charged to; null if there are none
   * @param mayWait whether to tell with {@link MustWait} where waiting may help
   */
  OpeningCharge(@Nullable PageBudget held, long reserved, boolean mayWait) {
    this.held = held;
    this.reserved = reserved;
    this.mayWait = mayWait;
  }

  /** There is no memory now; nothing has changed. Bears no stack trace: it is no accident. */
  static final class MustWait extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final long pages;

    MustWait(long pages) {
      super("an opening has to wait for " + pages + " pages", null, false, false);
      this.pages = pages;
    }

    long pages() {
      return pages;
    }
  }

  /**
   * Charges pages to a new range's budget.
   *
   * @throws PageFailure.NoMemory if a limit stands in the way for which nobody waits
   * @throws MustWait if it has to wait
   */
  void reserve(Reservations reservations, PageBudget leaf, long pages) {
    if (held != null && pages == reserved && leaf.tryTakeOver(held, pages) == null) {
      reserved = 0;
      return;
    }
    giveBackRest(reservations); // for a limit of the uid's or the session's own
    if (!reservations.tryReserve(leaf, pages, mayWait)) {
      throw new MustWait(pages);
    }
  }

  /** Gives back what was reserved and is not needed. */
  void giveBackRest(Reservations reservations) {
    if (held != null && reserved > 0) {
      reservations.giveBack(held, reserved);
      reserved = 0;
    }
  }
}
