package dev.pagetide.client;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The beginning and the end of the scopes ({@link UsedPages}) of one range.
 *
 * <p>Any number of threads may call any method at once.
 */
final class RangeScopes {

  private final PageRange range;
  private final RangeUses uses;
  private final @Nullable SharedPages shared;
  private final PageUsers users;

  RangeScopes(PageRange range, RangeUses uses, @Nullable SharedPages shared) {
    this.range = range;
    this.uses = uses;
    this.shared = shared;
    this.users = new PageUsers(range.pageCount());
  }

  /**
   * Begins a scope.
   *
   * @throws IndexOutOfBoundsException as {@link PageRange#use}
   * @throws PagetideException as {@link PageRange#use}
   */
  UsedPages enter(int startPage, int endPage) {
    Objects.checkFromToIndex(startPage, endPage, range.pageCount());
    long began = shared == null ? System.nanoTime() : 0;
    users.enter(startPage, endPage);
    boolean done = false;
    try {
      FreshPages fresh = range.useRange(startPage, endPage, RangeUses.Caller.SCOPE);
      // ORDER: after the pages were found to hold memory; see UnfilledPages.
      if (!uses.unfilled().isEmpty()) {
        fresh = uses.unfilled().report(startPage, endPage, fresh, patience(began));
      }
      done = true;
      return new UsedPages(range, this, startPage, endPage, fresh, shared);
    } finally {
      if (!done) {
        leaveQuietly(startPage, endPage);
      }
    }
  }

  /** How many nanoseconds a scope that began then waits for the answers of other scopes. */
  private long patience(long began) {
    return shared == null ? range.callTimeoutNanos() - (System.nanoTime() - began) : 0;
  }

  /** The pages that a scope was told are fresh hold their bytes now. */
  void filled(FreshPages fresh) {
    uses.unfilled().filled(fresh.intervals());
  }

  /** Ends a scope: pages in no other scope become AVAILABLE. */
  void leave(int startPage, int endPage) {
    users.leave(startPage, endPage, range::stopUnlessEnded);
  }

  /** Ends a scope whose use failed: the caller is told why the use failed, not what follows. */
  private void leaveQuietly(int startPage, int endPage) {
    try {
      leave(startPage, endPage);
    } catch (PagetideException e) {
      // The pages stay as they are; nobody was told that they can be relied on.
    }
  }
}
