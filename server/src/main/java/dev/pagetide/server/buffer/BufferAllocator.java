package dev.pagetide.server.buffer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.page.ShrinkablePageRange;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The transaction buffers in one range: carves them, and keeps the states of the range's pages in
 * step with them.
 *
 * <p>A buffer is BUILDING from {@link #reserve} on: it has its own space and pages, the server
 * fills it, and the client cannot free it. {@link #deliver} makes it DELIVERED: the client has it,
 * frees it by its offset, and names bytes of it in transactions of its own; it is pinned while
 * those bytes are copied. A buffer to be cleared is CLEARING between the free and the moment when
 * its space becomes free.
 *
 * <p>A page is USED exactly when a live buffer overlaps it, in whatever state that buffer is. The
 * exceptions are the pages of a reserved buffer that {@link Buffer#hasPages has no pages yet},
 * until it gains them.
 *
 * <p>Every method may be called by any number of threads at once, {@link #close} included. {@link
 * #allocate} may wait for memory; {@link #finishFree}, and {@link #free} of a buffer to be cleared,
 * copy zeros. The other methods take some steps down a tree ({@link #delivered} and {@link #close}
 * walk all buffers), wait only for threads that do no more than that, and make no system call but
 * the clock's. If a method throws, nothing has changed.
 *
 * <p>The design is that of Binder's allocator ({@code drivers/android/binder_alloc.c} and, in Rust,
 * {@code binder/range_alloc}, Linux 6.18).
 */
/*
 * Why a page stays USED under a buffer: a thread holds `lock` from when it reads the neighbours
 * until the stop has returned. A buffer is among the neighbours from before it tries to use its
 * pages until after its own pages are stopped. So a stop never comes after a later buffer has used
 * its pages. If the thread let go of the lock between the two, another thread could carve a buffer
 * and use the page, and the late stop would take the page from it.
 *
 * Buffers that wait for their pages: reserve has left them pending, because a page had no memory,
 * and the call that uses their pages (the pending call) runs outside the lock. Let X be pending and
 * share a page p with Y.
 * - Y is freed: X is live, so p is left alone. If X's pending call succeeds, p is USED by it,
 *   whether p was USED before or not. If it fails, it has changed no word, and abandon(X) stops p
 *   if no other buffer overlaps p by then. In between p may be USED or not, and only a live buffer
 *   overlaps it.
 * - Z is carved into p: Z finds p resident and uses it, or Z is pending itself. abandon(X) leaves p
 *   to Z, which is live.
 * That is why abandon comes after the pending call has ended: a call under way could make p USED
 * although no buffer overlaps it.
 *
 * LOCKS: `lock` is taken before the range's. Under it only warm calls to the range are made
 * (tryUseRange, stopUsingRange); they take no lock, wait for no thread and allocate nothing. Calls
 * that allocate, and copies, run without it. A CLEARING buffer is live, so its pages stay USED
 * while it is zeroed, and no other buffer gets its space.
 *
 * RACE: the range may close at any moment. A tryUseRange under the lock then throws Closed, and its
 * buffer is taken back. A stop that throws Closed has nothing to stop any more, and the free is
 * complete.
 */
public final class BufferAllocator {
  private final ReentrantLock lock = new ReentrantLock();
  private final ShrinkablePageRange range;
  private final int maxBuffers;

  @GuardedBy("lock")
  private final BufferSpace space;

  @GuardedBy("lock")
  private final OneWaySpace oneWay;

  @GuardedBy("lock")
  private final BufferPages pages;

  @GuardedBy("lock")
  private final BufferCounts counts = new BufferCounts();

  @GuardedBy("lock")
  private boolean closed;

  /**
   * An allocator without buffers. From now on only this allocator uses and stops the range's pages.
   *
   * @param maxBuffers the most buffers that may live at once, in any state
   */
  public BufferAllocator(ShrinkablePageRange range, int maxBuffers) {
    long totalBytes = (long) range.pageCount() * range.pageSize();
    this.range = range;
    this.maxBuffers = maxBuffers;
    this.space = new BufferSpace(totalBytes);
    this.oneWay = new OneWaySpace(totalBytes);
    this.pages = new BufferPages(range);
  }

  /**
   * Carves a buffer, BUILDING, and uses its pages if all are resident.
   *
   * <p>If they are not, it {@link Buffer#hasPages has no pages}: the caller uses {@link
   * Buffer#pages} in a way that may wait, and then calls {@link #gainedPages} or, after that
   * request has ended without success, {@link #abandon}. Cancelling the request's future does not
   * end the request.
   *
   * @throws BufferFailure.TooMany if the range has as many buffers as it may
   * @throws BufferFailure.NoOneWaySpace if a one-way buffer exceeds what is left of its half
   * @throws BufferFailure.NoSpace if no gap is large enough
   * @throws PageFailure.Closed if the range has ended
   */
  public Buffer reserve(BufferRequest request) {
    long spaceBytes = BufferSpace.spaceFor(request.size());
    lock.lock();
    try {
      checkOpen();
      BufferSpace.Gap gap = findGap(request, spaceBytes);
      boolean spam = request.oneWay() && oneWay.charge(request.senderId(), spaceBytes);
      Buffer buffer = new Buffer(this, range, request, gap.offset(), spaceBytes, spam);
      space.place(buffer, gap);
      counts.add(buffer);
      useIfResident(buffer);
      return buffer;
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private BufferSpace.Gap findGap(BufferRequest request, long spaceBytes) {
    if (space.count() >= maxBuffers) {
      throw new BufferFailure.TooMany(maxBuffers);
    }
    if (request.oneWay() && !oneWay.fits(spaceBytes)) {
      throw new BufferFailure.NoOneWaySpace(
          request.size(), spaceBytes, counts.totals(space, oneWay), space.totalBytes());
    }
    BufferSpace.Gap gap = space.bestFit(spaceBytes);
    if (gap == null) {
      throw new BufferFailure.NoSpace(
          request.size(), spaceBytes, counts.totals(space, oneWay), space.totalBytes());
    }
    return gap;
  }

  @GuardedBy("lock")
  private void useIfResident(Buffer buffer) {
    boolean done = false;
    try {
      pages.tryUse(buffer);
      done = true;
    } finally {
      if (!done) {
        forget(buffer);
      }
    }
  }

  /**
   * Marks a reserved buffer as having its pages, after a request to use all of them has succeeded.
   * Does nothing after {@link #close}.
   *
   * @throws IllegalStateException if the buffer is not BUILDING
   */
  public void gainedPages(Buffer buffer) {
    lock.lock();
    try {
      if (!closed) {
        check(buffer, Buffer.State.BUILDING);
        buffer.gainPages();
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * A reserved buffer with its pages. Event loops must not call this, because it may allocate and
   * therefore reclaim.
   *
   * @throws BufferFailure as {@link #reserve} does
   * @throws PageFailure.NoMemory if there is no memory for its pages
   * @throws PageFailure.Closed if the range has ended
   */
  public Buffer allocate(BufferRequest request) {
    Buffer buffer = reserve(request);
    if (buffer.hasPages()) {
      return buffer;
    }
    boolean done = false;
    try {
      var _ = range.useRange(buffer.startPage(), buffer.endPage());
      gainedPages(buffer);
      done = true;
      return buffer;
    } finally {
      if (!done) {
        var _ = abandon(buffer); // it has no pages, so there is nothing to clear
      }
    }
  }

  /**
   * Makes a BUILDING buffer DELIVERED: from now on the client may free it.
   *
   * @throws PageFailure.Closed if the range has ended
   * @throws IllegalStateException if the buffer is not BUILDING, or has no pages
   */
  public void deliver(Buffer buffer) {
    lock.lock();
    try {
      checkOpen();
      check(buffer, Buffer.State.BUILDING);
      if (!buffer.hasPages()) {
        throw new IllegalStateException(buffer + " has no pages");
      }
      counts.move(buffer, Buffer.State.DELIVERED);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Gives back a BUILDING buffer: space, one-way charge and pages; or begins to. Meanwhile no
   * thread may be filling it, and no request to use its pages may be under way. Never fails; does
   * nothing if the buffer is gone.
   *
   * @return null if it is gone. Otherwise a buffer to be cleared that has pages, and so may hold
   *     part of a secret; the caller calls {@link #finishFree} for it, on a thread that may copy
   * @throws IllegalStateException if the buffer was delivered
   */
  public @Nullable Buffer abandon(Buffer buffer) {
    lock.lock();
    try {
      if (closed || buffer.state() == Buffer.State.GONE) {
        return null;
      }
      check(buffer, Buffer.State.BUILDING);
      return endsAtOnce(buffer) ? null : buffer;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Pins the DELIVERED buffer that holds all of some bytes. It cannot be freed until {@link #unpin}
   * was called as often as this. Zero bytes where one buffer ends and the next starts lie in both.
   *
   * @param offset bytes from the start of the range, unsigned
   * @param length bytes, unsigned; bytes beyond the requested size are not the buffer's
   * @throws BufferFailure.NotABuffer if no buffer holds them
   * @throws PageFailure.Closed if the range has ended
   */
  public Buffer pin(long offset, long length) {
    lock.lock();
    try {
      checkOpen();
      Buffer buffer = delivered(offset, length);
      if (buffer == null) {
        throw BufferFailure.NotABuffer.toPin(offset, length);
      }
      buffer.changePins(1);
      return buffer;
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private @Nullable Buffer delivered(long offset, long length) {
    Buffer buffer = space.holding(offset, length);
    if (length == 0 && !isDelivered(buffer)) {
      buffer = space.holding(offset - 1, 1);
    }
    return isDelivered(buffer) ? buffer : null;
  }

  private static boolean isDelivered(@Nullable Buffer buffer) {
    return buffer != null && buffer.state() == Buffer.State.DELIVERED;
  }

  /**
   * Undoes one {@link #pin}. Does nothing after {@link #close}.
   *
   * @throws IllegalStateException if the buffer is not pinned
   */
  public void unpin(Buffer buffer) {
    lock.lock();
    try {
      if (!closed) {
        check(buffer, Buffer.State.DELIVERED);
        if (buffer.pins() == 0) {
          throw new IllegalStateException(buffer + " is not pinned");
        }
        buffer.changePins(-1);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Frees a DELIVERED buffer, or begins to. Of several calls for one buffer one wins; the others
   * find no buffer.
   *
   * @param offset where it starts, unsigned
   * @return null if it is gone. Otherwise a buffer to be cleared; the caller calls {@link
   *     #finishFree} for it, on a thread that may copy
   * @throws BufferFailure.NotABuffer if no live buffer starts there, or its free has begun
   * @throws BufferFailure.Busy if it is BUILDING or pinned
   * @throws PageFailure.Closed if the range has ended
   */
  public @Nullable Buffer beginFree(long offset) {
    lock.lock();
    try {
      checkOpen();
      Buffer buffer = space.startingAt(offset);
      if (buffer == null || buffer.state() == Buffer.State.CLEARING) {
        throw BufferFailure.NotABuffer.toFree(offset);
      }
      if (buffer.state() == Buffer.State.BUILDING) {
        throw BufferFailure.Busy.building(offset);
      }
      if (buffer.pins() > 0) {
        throw BufferFailure.Busy.pinned(offset, buffer.pins());
      }
      return endsAtOnce(buffer) ? null : buffer;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Zeroes all space of a buffer that {@link #beginFree} returned, and frees it. Does nothing after
   * {@link #close}.
   *
   * @throws PageFailure.SystemRefused if the kernel refused; the buffer is still to be cleared, and
   *     this may be called again
   * @throws IllegalStateException if the buffer is not CLEARING
   */
  void finishFree(Buffer buffer) {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      check(buffer, Buffer.State.CLEARING);
    } finally {
      lock.unlock();
    }
    try {
      range.fillZero(buffer.offset(), buffer.spaceBytes());
    } catch (PageFailure.Closed e) {
      // When the range ends it gives back the memory itself.
    }
    lock.lock();
    try {
      if (!closed) {
        check(buffer, Buffer.State.CLEARING);
        end(buffer);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * {@link #beginFree} and, if necessary, {@link #finishFree}, on a thread that may copy.
   *
   * @throws BufferFailure as {@link #beginFree} does
   * @throws PageFailure as both do
   */
  public void free(long offset) {
    Buffer toClear = beginFree(offset);
    if (toClear != null) {
      finishFree(toClear);
    }
  }

  /** The range's bytes by what they are used for now. */
  public BufferTotals totals() {
    lock.lock();
    try {
      return counts.totals(space, oneWay);
    } finally {
      lock.unlock();
    }
  }

  /** The DELIVERED buffers, ascending by offset. Walks all buffers. */
  public List<Buffer> delivered() {
    lock.lock();
    try {
      List<Buffer> delivered = new ArrayList<>();
      for (Buffer buffer : space.buffers()) {
        if (buffer.state() == Buffer.State.DELIVERED) {
          delivered.add(buffer);
        }
      }
      return delivered;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Ends all buffers, because their range ends; the range's own end takes care of its pages.
   * Idempotent. Later calls throw {@link PageFailure.Closed}; those that give something back do
   * nothing.
   */
  public void close() {
    lock.lock();
    try {
      closed = true;
      for (Buffer buffer : space.buffers()) {
        counts.remove(buffer);
      }
      space.clear();
      oneWay.clear();
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void checkOpen() {
    if (closed) {
      throw new PageFailure.Closed();
    }
  }

  @GuardedBy("lock")
  private void check(Buffer buffer, Buffer.State state) {
    if (buffer.allocator() != this || buffer.state() != state) {
      throw new IllegalStateException(buffer + " is " + buffer.state() + ", not " + state);
    }
  }

  /** Ends a buffer, unless it has to be cleared first; then it becomes CLEARING. */
  @GuardedBy("lock")
  private boolean endsAtOnce(Buffer buffer) {
    if (buffer.clearOnFree() && buffer.hasPages()) {
      counts.move(buffer, Buffer.State.CLEARING);
      return false;
    }
    end(buffer);
    return true;
  }

  /** Stops the pages that no other live buffer overlaps, and makes the space free. */
  @GuardedBy("lock")
  private void end(Buffer buffer) {
    pages.stop(buffer, space.endBefore(buffer), space.startAfter(buffer));
    forget(buffer);
  }

  /** Makes a buffer's space free, and gives back its one-way charge. */
  @GuardedBy("lock")
  private void forget(Buffer buffer) {
    space.remove(buffer);
    if (buffer.oneWay()) {
      oneWay.giveBack(buffer.senderId(), buffer.spaceBytes());
    }
    counts.remove(buffer);
  }

  /**
   * Throws if an invariant of buffers and gaps, of the one-way half, or of pages is broken. Pages
   * that only buffers without pages overlap may be in any state. A page that a scan is punching
   * counts as FREE.
   */
  void checkInvariants() {
    lock.lock();
    try {
      space.check();
      oneWay.check(space.buffers());
      counts.check(space.buffers());
      if (!closed) {
        pages.check(space.buffers());
      }
    } finally {
      lock.unlock();
    }
  }
}
