package dev.pagetide.client;

import io.grpc.Deadline;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
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
  private final PageUsers.Stop stop;
  private final long callTimeoutNanos;

  RangeScopes(PageRange range, RangeUses uses, @Nullable SharedPages shared) {
    this.range = range;
    this.uses = uses;
    this.shared = shared;
    this.users = new PageUsers(range.pageCount());
    this.stop = range::stopUnlessEnded;
    this.callTimeoutNanos = range.callTimeoutNanos();
  }

  /**
   * Begins a scope.
   *
   * @throws IndexOutOfBoundsException as {@link PageRange#use}
   * @throws PagetideException as {@link PageRange#use}
   */
  UsedPages enter(int startPage, int endPage) {
    Objects.checkFromToIndex(startPage, endPage, range.pageCount());
    Deadline deadline = shared == null ? range.deadline() : null;
    users.enter(startPage, endPage, nanosLeft(deadline), stop);
    boolean done = false;
    try {
      FreshPages fresh = range.useRange(startPage, endPage, RangeUses.Caller.SCOPE, deadline);
      // ORDER: after the pages were found to hold memory; see UnfilledPages.
      if (!uses.unfilled().isEmpty()) {
        long patience = deadline == null ? 0 : nanosLeft(deadline);
        fresh = uses.unfilled().report(startPage, endPage, fresh, patience);
      }
      done = true;
      return new UsedPages(range, this, startPage, endPage, fresh, shared);
    } finally {
      if (!done) {
        leaveQuietly(startPage, endPage);
      }
    }
  }

  /** How long a scope may wait yet: a remote one until its deadline. */
  private long nanosLeft(@Nullable Deadline deadline) {
    return deadline == null ? callTimeoutNanos : deadline.timeRemaining(TimeUnit.NANOSECONDS);
  }

  /** The pages that a scope was told are fresh hold their bytes now. */
  void filled(FreshPages fresh) {
    uses.unfilled().filled(fresh.intervals());
  }

  /**
   * Ends a scope: pages in no other scope become AVAILABLE. Where that is a call, this waits for
   * its answer, but neither where answers are delivered nor any longer once this thread is
   * interrupted: the call goes on.
   *
   * @throws PagetideException as {@link UsedPages#close}
   */
  void leave(int startPage, int endPage) {
    CompletableFuture<Void> stops = users.leave(startPage, endPage, stop);
    if (stops != null) {
      Blocking.awaitEnd(stops);
    }
  }

  /** Ends a scope whose use failed: the caller is told why the use failed, not what follows. */
  private void leaveQuietly(int startPage, int endPage) {
    try {
      var _ = users.leave(startPage, endPage, stop);
    } catch (PagetideException e) {
      // The pages stay as they are; nobody was told that they can be relied on.
    }
  }
}
