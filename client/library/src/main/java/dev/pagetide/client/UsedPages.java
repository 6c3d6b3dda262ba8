package dev.pagetide.client;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Pages that stay in use until this scope is closed. It is for try-with-resources.
 *
 * <pre>{@code
 * try (UsedPages pages = range.use(0, 4)) {
 *   if (!pages.fresh().isEmpty()) {
 *     pages.write(0, content);
 *     pages.filled();
 *   }
 *   pages.read(0, into);
 * }
 * }</pre>
 *
 * <p>Scopes of one {@link PageRange} may overlap. The library counts the scopes of each page, and
 * the page becomes AVAILABLE when the last scope is closed. This count does not include {@link
 * PageRange#useRange} and {@link PageRange#stopUsingRange}, nor other range objects on the same
 * session: a stop there stops the page although a scope is open.
 *
 * <p>If the range is remote, every read and write is a call and waits for its answer. On a thread
 * that delivers answers it throws before it does anything.
 *
 * <p>Offsets are bytes from the start of the first page. Every accessor fails with {@link
 * IllegalStateException} once the scope is closed, with {@link IndexOutOfBoundsException} outside
 * of it, and with {@link PagetideException} once the range has ended. If the file is mapped, bytes
 * stay readable after the server has ended, until the range is closed. Any number of threads may
 * call any method at once. If the scope is closed while an access runs, the access may see old
 * bytes or zeros.
 */
public final class UsedPages implements AutoCloseable {

  private static final VarHandle CLOSED;

  static {
    try {
      CLOSED = MethodHandles.lookup().findVarHandle(UsedPages.class, "closed", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final PageRange range;
  private final RangeScopes scopes;
  private final int startPage;
  private final int endPage;
  private final FreshPages fresh;
  private final @Nullable SharedPages shared;
  private volatile boolean closed;
  private @Nullable Arena lifetime;
  private @Nullable MemorySegment segment;

  UsedPages(
      PageRange range,
      RangeScopes scopes,
      int startPage,
      int endPage,
      FreshPages fresh,
      @Nullable SharedPages shared) {
    this.range = range;
    this.scopes = scopes;
    this.startPage = startPage;
    this.endPage = endPage;
    this.fresh = fresh;
    this.shared = shared;
  }

  /** The first page. */
  public int startPage() {
    return startPage;
  }

  /** One past the last page. */
  public int endPage() {
    return endPage;
  }

  /** How many bytes these pages have. */
  public long sizeBytes() {
    return (long) (endPage - startPage) * range.pageSize();
  }

  /**
   * The pages that hold none of their old bytes, by their numbers in the range, as known when this
   * scope began. Every other scope of the same range object that begins before {@link #filled}
   * reports them, too. Such a scope may be open at the same time, so two scopes may fill one page,
   * or it may begin after this one was closed.
   */
  public FreshPages fresh() {
    return fresh;
  }

  /**
   * Says that the {@link #fresh} pages hold their bytes now, so scopes that begin from now on do
   * not report them. If a scope is closed without this call, because filling threw, they stay
   * fresh.
   *
   * @throws IllegalStateException if this scope is closed, because the server may have taken its
   *     pages since
   */
  public synchronized void filled() {
    check(0, 0); // close() takes this monitor before it gives the pages back
    if (!fresh.isEmpty()) {
      scopes.filled(fresh);
    }
  }

  /**
   * Fills the remaining bytes of {@code into} and moves its position to its limit.
   *
   * @throws PagetideException if the range has ended
   */
  public void read(long offset, ByteBuffer into) {
    checkMayCall(shared);
    long start = check(offset, into.remaining());
    if (shared == null) {
      range.read(start, into);
      return;
    }
    try {
      MemorySegment.copy(
          shared.bytes(startPage, endPage),
          offset,
          MemorySegment.ofBuffer(into),
          0,
          into.remaining());
    } catch (IllegalStateException e) {
      throw range.unmapped(e);
    }
    into.position(into.limit());
  }

  /**
   * The {@code length} bytes at {@code offset}.
   *
   * @throws PagetideException if the range has ended
   */
  public byte[] read(long offset, int length) {
    checkMayCall(shared);
    check(offset, length);
    byte[] bytes = new byte[length];
    read(offset, ByteBuffer.wrap(bytes));
    return bytes;
  }

  /**
   * Writes the remaining bytes of {@code from} and moves its position to its limit.
   *
   * @throws PagetideException if the range has ended
   */
  public void write(long offset, ByteBuffer from) {
    checkMayCall(shared);
    long start = check(offset, from.remaining());
    if (shared == null) {
      range.write(start, from);
      return;
    }
    try {
      MemorySegment.copy(
          MemorySegment.ofBuffer(from),
          0,
          shared.bytes(startPage, endPage),
          offset,
          from.remaining());
    } catch (IllegalStateException e) {
      throw range.unmapped(e);
    }
    from.position(from.limit());
  }

  /**
   * Writes {@code bytes}.
   *
   * @throws PagetideException if the range has ended
   */
  public void write(long offset, byte[] bytes) {
    write(offset, ByteBuffer.wrap(bytes));
  }

  /**
   * Writes zeros.
   *
   * @throws PagetideException if the range has ended
   */
  public void fillZero(long offset, long length) {
    checkMayCall(shared);
    long start = check(offset, length);
    if (shared == null) {
      range.fillZero(start, length);
      return;
    }
    try {
      var _ = shared.bytes(startPage, endPage).asSlice(offset, length).fill((byte) 0);
    } catch (IllegalStateException e) {
      throw range.unmapped(e);
    }
  }

  /**
   * Copies bytes to other used pages, of this range or of another one. The bytes may overlap if
   * both ranges are mapped.
   *
   * @throws PagetideException if a range has ended
   */
  public void copyTo(long offset, UsedPages target, long targetOffset, int length) {
    checkMayCall(shared);
    checkMayCall(target.shared);
    check(offset, length);
    target.check(targetOffset, length);
    if (shared == null || target.shared == null) {
      target.write(targetOffset, read(offset, length));
      return;
    }
    try {
      MemorySegment.copy(
          shared.bytes(startPage, endPage),
          offset,
          target.shared.bytes(target.startPage, target.endPage),
          targetOffset,
          length);
    } catch (IllegalStateException e) {
      throw range.unmapped(e);
    }
  }

  /**
   * The bytes themselves. Do not touch them once this scope is closed: from then on the server may
   * take them during any access, and touching them gives the page memory that the server did not
   * lend. With {@link ClientOptions#confinedSegments} such an access fails; then the segment ends
   * with the scope, and not with the range.
   *
   * @throws PagetideException RESOURCE_EXHAUSTED if {@link ClientOptions#confinedSegments} is set
   *     and the host refuses another mapping
   * @throws UnsupportedOperationException if the range is {@link RangeAccess#REMOTE}, because its
   *     bytes are not in this process
   */
  public MemorySegment segment() {
    check(0, 0);
    if (shared == null) {
      throw new UnsupportedOperationException(
          "this range is remote, so its bytes are not in this process; read and write them");
    }
    // RACE: close() sets `closed` before it takes this monitor. If we take the monitor first,
    // close() finds our arena and ends it. If close() was first, the check below fails. So no arena
    // is made after close().
    synchronized (this) {
      check(0, 0);
      MemorySegment bytes = segment;
      if (bytes == null) {
        if (shared.keepsFile()) {
          Arena own = Arena.ofShared();
          bytes = mappedAnew(shared, own);
          lifetime = own;
        } else {
          bytes = shared.bytes(startPage, endPage);
        }
        segment = bytes;
      }
      return bytes;
    }
  }

  private MemorySegment mappedAnew(SharedPages pages, Arena own) {
    try {
      return pages.mapAnew(startPage, endPage, own);
    } catch (IllegalStateException e) {
      throw range.unmapped(e);
    }
  }

  /**
   * {@link #segment} as a buffer, in the machine's byte order.
   *
   * @throws UnsupportedOperationException as {@link #segment}, or if it is 2 GiB or more
   */
  public ByteBuffer buffer() {
    return segment().asByteBuffer().order(java.nio.ByteOrder.nativeOrder());
  }

  /**
   * Ends the use of the pages: those in no other scope become AVAILABLE. Calling it again does
   * nothing. After the range has ended it does nothing either.
   *
   * <p>If the range is remote, this waits until the server has answered. It does not wait on a
   * thread that delivers answers, and it stops waiting when this thread is interrupted. The server
   * is notified nevertheless, but a failure is not reported then.
   *
   * @throws PagetideException if the range is remote and the server did not answer within the call
   *     timeout: then pages may stay USED until they are used and stopped again
   */
  @Override
  public void close() {
    if (!CLOSED.compareAndSet(this, false, true)) {
      return;
    }
    endLifetime();
    scopes.leave(startPage, endPage);
  }

  private synchronized void endLifetime() {
    Arena own = lifetime;
    if (own != null) {
      SegmentLifetime.end(own);
    }
  }

  /** Throws on a thread that delivers answers, if the range is remote. */
  private static void checkMayCall(@Nullable SharedPages mapped) {
    if (mapped == null) {
      Blocking.checkMayWait();
    }
  }

  /** Checks an access, and returns where it starts in the range. */
  private long check(long offset, long length) {
    if (closed) {
      throw new IllegalStateException(
          "the scope of pages [" + startPage + ", " + endPage + ") is closed: use them again");
    }
    Objects.checkFromIndexSize(offset, length, sizeBytes());
    return (long) startPage * range.pageSize() + offset;
  }

  /** Which pages, and whether they are still in use. */
  @Override
  public String toString() {
    return "pages ["
        + startPage
        + ", "
        + endPage
        + ") of "
        + range.ticket()
        + (closed ? ", closed" : "");
  }
}
