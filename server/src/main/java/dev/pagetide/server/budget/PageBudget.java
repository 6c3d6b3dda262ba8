package dev.pagetide.server.budget;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * A limit on resident pages, and the pages that are charged to it. It is a node in a tree: the root
 * is the whole server, with a node for each uid below it, and one for each session below that.
 *
 * <p>A charge is made to a node and all nodes above it, or to none of them. No node's charge ever
 * exceeds its limit, at whatever moment it is read. Reserve before memory is given; release after
 * it was taken away.
 *
 * <p>Thread-safe, without locks.
 */
public final class PageBudget {
  private static final VarHandle CHARGED;

  static {
    try {
      CHARGED = MethodHandles.lookup().findVarHandle(PageBudget.class, "charged", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final String name;
  private final long limitPages;
  private final @Nullable PageBudget parent;
  private final boolean shared;

  /**
   * The nearest budget from here up that is narrower than all above it; its limit is reached first.
   */
  private final PageBudget binding;

  @SuppressWarnings("UnusedVariable") // accessed through CHARGED
  private volatile long charged;

  private PageBudget(String name, long limitPages, @Nullable PageBudget parent, boolean shared) {
    if (limitPages < 0) {
      throw new IllegalArgumentException(name + " is a limit of " + limitPages + " pages");
    }
    this.name = name;
    this.limitPages = limitPages;
    this.parent = parent;
    this.shared = shared;
    this.binding = parent == null || limitPages < parent.binding.limitPages ? this : parent.binding;
  }

  /**
   * The budget of a whole server.
   *
   * @param name the option that sets the limit, for messages: {@code --max-resident-bytes}
   * @param limitPages the most pages that may be resident, bookkeeping pages included
   */
  public static PageBudget root(String name, long limitPages) {
    return new PageBudget(name, limitPages, null, true);
  }

  /** A narrower limit below this one, for one range. */
  public PageBudget child(String name, long limitPages) {
    return new PageBudget(name, limitPages, this, false);
  }

  /** A narrower limit below this one, which the ranges of one uid share. */
  public PageBudget sharedChild(String name, long limitPages) {
    return new PageBudget(name, limitPages, this, true);
  }

  /**
   * Charges {@code pages} to this budget and all above it, if none of them would exceed its limit.
   *
   * @return {@code null} if charged. Otherwise the budget that has no room; then nothing is
   *     charged. A limit that is no narrower than one above it is never returned; the one above is
   */
  public @Nullable PageBudget tryReserve(long pages) {
    for (PageBudget node = this; node != null; node = node.parent) {
      if (!node.tryCharge(pages)) {
        dischargeUpTo(node, pages);
        return node.binding;
      }
    }
    return null;
  }

  /**
   * Takes over the pages that are charged to another budget of the same server. The charge of their
   * common root does not change meanwhile, so no other request can get the pages.
   *
   * @return {@code null} if they are charged here. Otherwise the budget that has no room; then
   *     nothing has changed
   */
  @Nullable PageBudget tryTakeOver(PageBudget from, long pages) {
    for (PageBudget node = this; node.parent != null; node = node.parent) {
      if (!node.tryCharge(pages)) {
        dischargeUpTo(node, pages);
        return node.binding;
      }
    }
    from.dischargeUpTo(from.root(), pages);
    return null;
  }

  /** Takes a charge off this budget and off those above it that are below {@code end}. */
  private void dischargeUpTo(PageBudget end, long pages) {
    for (PageBudget node = this; node != end; node = node.parentOf()) {
      node.discharge(pages);
    }
  }

  /** Gives back pages that were reserved: their memory is gone, or was never given. */
  public void release(long pages) {
    for (PageBudget node = this; node != null; node = node.parent) {
      node.discharge(pages);
    }
  }

  private PageBudget parentOf() {
    if (parent == null) {
      throw new AssertionError("walked past the root");
    }
    return parent;
  }

  private boolean tryCharge(long pages) {
    while (true) {
      long now = charged;
      if (pages > limitPages - now) {
        return false;
      }
      if (CHARGED.compareAndSet(this, now, now + pages)) {
        return true;
      }
    }
  }

  private void discharge(long pages) {
    long left = (long) CHARGED.getAndAdd(this, -pages) - pages;
    if (left < 0) {
      throw new AssertionError(name + " was released more than was reserved: " + left);
    }
  }

  /** Whether this budget is {@code scope}, or is below it. */
  public boolean isWithin(PageBudget scope) {
    for (PageBudget node = this; node != null; node = node.parent) {
      if (node == scope) {
        return true;
      }
    }
    return false;
  }

  /** The server's budget, at the top. */
  PageBudget root() {
    PageBudget node = this;
    while (node.parent != null) {
      node = node.parent;
    }
    return node;
  }

  /**
   * The nearest budget from here up that several ranges share; another of these ranges can get the
   * pages that one of them stops. The server's own if there is no other.
   */
  public PageBudget shared() {
    PageBudget node = this;
    while (!node.shared) {
      node = node.parentOf();
    }
    return node;
  }

  /** Whether this is a limit below the server's that is narrower than all above it. */
  public boolean isLimitOfItsOwn() {
    return parent != null && binding == this;
  }

  /** Whether this is the whole server's budget. */
  public boolean isRoot() {
    return parent == null;
  }

  /** The pages that are charged now. */
  public long chargedPages() {
    return charged;
  }

  /** The most pages that can be charged. */
  public long limitPages() {
    return limitPages;
  }

  /**
   * The number of pages that is the same fraction of this limit as {@code pages} is of the
   * server's.
   */
  long partOfLimit(long pages) {
    return parent == null ? pages : (long) (pages * ((double) limitPages / root().limitPages));
  }

  /** The option that sets the limit. */
  String name() {
    return name;
  }

  /** The first budget from here up whose limit is below {@code pages}; null if there is none. */
  @Nullable PageBudget narrowerThan(long pages) {
    for (PageBudget node = this; node != null; node = node.parent) {
      if (node.limitPages < pages) {
        return node.binding;
      }
    }
    return null;
  }

  /**
   * Whether all budgets from here up that are narrower than the root have room for {@code pages}.
   */
  boolean hasRoomBelowRoot(long pages) {
    for (PageBudget node = this; node.parent != null; node = node.parent) {
      if (node.binding == node && pages > node.limitPages - node.charged) {
        return false;
      }
    }
    return true;
  }

  @Override
  public String toString() {
    return name + ": " + charged + " of " + limitPages + " pages";
  }
}
