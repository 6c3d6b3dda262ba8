package dev.pagetide.client;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * A cache over one range, whose bytes the server may take back when it is short of memory.
 *
 * <pre>{@code
 * try (PageCache<String> cache = PageCache.over(range, 16)) {
 *   try (PageCache.Tile tile = cache.get(key, (k, bytes) -> fill(bytes))) {
 *     use(tile.segment());
 *   }
 * }
 * }</pre>
 *
 * <p>The range is cut into tiles of equal size, and each key that was asked for has one. A tile
 * holds its key's bytes for as long as a lease on it is open. Without a lease it may be given to
 * another key, the least recently used one first, and the server may take its pages: both are found
 * by the next {@link #get}, which loads the tile again. It never gives out bytes that no loader has
 * finished.
 *
 * <p>Any number of threads may call any method at once. Keys are compared by {@code equals} and are
 * kept on the heap. A key is loaded by one thread, while others that want it wait for as long as
 * that loader runs, or until they are interrupted. If a loader throws, the {@code get} that called
 * it throws the same, and one of the waiting threads loads with its own loader.
 *
 * @param <K> what tiles are found by
 */
public final class PageCache<K> implements AutoCloseable {

  private final TilePages pages;
  private final CacheTiles<K> tiles;
  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final LongAdder loads = new LongAdder();
  private final LongAdder lost = new LongAdder();

  /** A cache with an index of the caller's, for tests; otherwise use {@link #over}. */
  PageCache(TilePages pages, CacheTiles<K> tiles) {
    this.pages = pages;
    this.tiles = tiles;
  }

  /**
   * A cache over {@code range}, which it owns from now on: nobody else uses or stops its pages, and
   * {@link #close} closes it. If this throws, the range is still the caller's.
   *
   * @param tilePages pages of a tile; what the range has beyond whole tiles stays unused
   * @throws IllegalArgumentException if the range does not have that many pages, or if it is 0
   * @throws UnsupportedOperationException if the range is {@link RangeAccess#REMOTE}: there are no
   *     bytes here to give out
   */
  public static <K> PageCache<K> over(PageRange range, int tilePages) {
    if (tilePages < 1 || tilePages > range.pageCount()) {
      throw new IllegalArgumentException(
          "tilePages="
              + tilePages
              + " is not between 1 and the "
              + range.pageCount()
              + " pages of the range"
              + (tilePages < 1
                  ? ""
                  : "; a larger range takes a larger OpenOptions.sizeBytes, within the server's"
                      + " --max-range-bytes"));
    }
    TilePages pages = range.tiles(tilePages);
    return new PageCache<>(pages, new CacheTiles<>(pages, range.callTimeoutNanos()));
  }

  /** How many tiles there are: so many keys can have their bytes here at once. */
  public int tileCount() {
    return pages.tileCount();
  }

  /** How many bytes a tile has. */
  public long tileBytes() {
    return pages.tileBytes();
  }

  /**
   * A lease on the tile that holds the bytes of {@code key}, which {@code loader} writes if they
   * are not there. If all tiles have a lease this waits until one ends, at most the client's call
   * timeout.
   *
   * @throws X what the loader throws; the tile does not count as loaded then
   * @throws IllegalStateException if this thread runs the loader of the same key, or of a key that
   *     another thread's loader waits for, which loads this one; or if it delivers answers
   * @throws PagetideException RESOURCE_EXHAUSTED if all tiles have a lease; CANCELLED, with the
   *     interrupt flag set again, if this thread is interrupted while it waits; ABORTED if the
   *     cache was closed; and as {@link PageRange#useRange(java.util.List)}
   */
  public <X extends Exception> Tile get(K key, TileLoader<? super K, X> loader) throws X {
    Blocking.checkMayWait();
    Objects.requireNonNull(loader, "loader");
    while (true) {
      CachedTile<K> found = tiles.find(key);
      if (found != null && found.tryLease()) {
        hits.increment();
        return new Tile(found);
      }
      CachedTile<K> claimed = tiles.claim(key);
      Tile lease = claimed == null ? null : load(claimed, loader);
      if (lease != null) {
        return lease;
      }
    }
  }

  /** A lease on a claimed tile; null if it cannot be loaded, because others read its bytes. */
  <X extends Exception> @Nullable Tile load(CachedTile<K> claimed, TileLoader<? super K, X> loader)
      throws X {
    boolean done = false;
    if (!claimed.enter()) {
      tiles.failed(claimed);
      throw new IllegalStateException("a tile was retired while it was claimed");
    }
    try {
      done = fill(claimed, loader);
    } finally {
      if (done) {
        tiles.loaded(claimed);
      } else {
        claimed.release(); // first: the thread that loads next must find no lease of ours
        tiles.failed(claimed);
      }
    }
    return done ? new Tile(claimed) : null;
  }

  private <X extends Exception> boolean fill(CachedTile<K> tile, TileLoader<? super K, X> loader)
      throws X {
    boolean wasFilled = tile.isFilled();
    if (wasFilled && pages.tryUse(tile.number())) {
      hits.increment(); // another thread has loaded it before we claimed it
      return true;
    }
    tile.setFilled(false); // before the server is asked; see CachedTile
    boolean fresh = pages.use(tile.number());
    if (wasFilled && !fresh) {
      hits.increment();
      return true;
    }
    if (wasFilled) {
      lost.increment();
    }
    // RACE: loaded by another thread before we claimed it, leased, and invalidated since.
    if (tile.isShared()) {
      return false;
    }
    misses.increment();
    MemorySegment bytes = pages.bytes(tile.number());
    zero(bytes);
    loader.load(tile.key(), bytes);
    loads.increment();
    return true;
  }

  private void zero(MemorySegment bytes) {
    try {
      bytes.fill((byte) 0);
    } catch (IllegalStateException e) {
      throw pages.range().unmapped(e);
    }
  }

  /**
   * Forgets the bytes of {@code key}: a get that begins after this has returned loads them. Open
   * leases keep what they have. A load that is under way goes on; its own caller gets its bytes,
   * and those who wait for it load again.
   */
  public void invalidate(K key) {
    tiles.invalidate(key);
  }

  /** What this cache has done so far. */
  public PageCacheStatistics statistics() {
    return new PageCacheStatistics(hits.sum(), misses.sum(), loads.sum(), lost.sum());
  }

  /**
   * Closes the range, and refuses every get from now on, also those that wait. It waits for nobody:
   * bytes of leases that are open become inaccessible, as at {@link PageRange#close}, and the
   * leases close quietly; segments that {@link ClientOptions#confinedSegments} confines end with
   * their lease instead. Calling it again does nothing.
   */
  @Override
  public void close() {
    tiles.close();
    pages.range().close();
  }

  /**
   * A lease on a tile: its bytes stay where they are until this is closed.
   *
   * <p>Any number of threads may call any method at once. Every accessor of bytes fails with {@link
   * IllegalStateException} once this is closed.
   */
  public static final class Tile implements AutoCloseable {

    private static final VarHandle CLOSED;

    static {
      try {
        CLOSED = MethodHandles.lookup().findVarHandle(Tile.class, "closed", boolean.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    private final CachedTile<?> tile;
    private volatile boolean closed;
    private @Nullable Arena lifetime;
    private @Nullable MemorySegment segment;

    private Tile(CachedTile<?> tile) {
      this.tile = tile;
    }

    /** How many bytes the tile has. */
    public long sizeBytes() {
      return tile.pages().tileBytes();
    }

    /**
     * The bytes, read-only, because others read them, too; not to be touched once this is closed,
     * as at {@link UsedPages#segment}.
     *
     * @throws PagetideException if they are to be confined and the cache was closed, or the host
     *     refuses another mapping
     */
    public MemorySegment segment() {
      checkOpen();
      if (!tile.pages().confinesSegments()) {
        return tile.pages().bytes(tile.number()).asReadOnly();
      }
      return confinedSegment();
    }

    /** LOCKS: it is closed before {@link #endLifetime} takes the lock, so no mapping is missed. */
    private synchronized MemorySegment confinedSegment() {
      checkOpen();
      MemorySegment bytes = segment;
      if (bytes == null) {
        Arena own = Arena.ofShared();
        bytes = mappedAnew(own).asReadOnly();
        lifetime = own;
        segment = bytes;
      }
      return bytes;
    }

    private MemorySegment mappedAnew(Arena own) {
      try {
        return tile.pages().mapAnew(tile.number(), own);
      } catch (IllegalStateException e) {
        throw tile.pages().range().unmapped(e);
      }
    }

    private synchronized void endLifetime() {
      Arena own = lifetime;
      if (own != null) {
        SegmentLifetime.end(own);
      }
    }

    /**
     * {@link #segment} as a read-only buffer, in the machine's byte order.
     *
     * @throws UnsupportedOperationException if it is 2 GiB or more
     */
    public ByteBuffer buffer() {
      return segment().asByteBuffer().order(ByteOrder.nativeOrder());
    }

    /**
     * The {@code length} bytes at {@code offset}.
     *
     * @throws IndexOutOfBoundsException if they are not all in the tile
     * @throws PagetideException if the cache was closed
     */
    public byte[] read(long offset, int length) {
      checkOpen();
      Objects.checkFromIndexSize(offset, length, sizeBytes());
      byte[] bytes = new byte[length];
      try {
        MemorySegment.copy(
            tile.pages().bytes(tile.number()), offset, MemorySegment.ofArray(bytes), 0, length);
      } catch (IllegalStateException e) {
        throw tile.pages().range().unmapped(e);
      }
      checkOpen(); // else the tile may have become another key's while it was read
      return bytes;
    }

    private void checkOpen() {
      if (closed) {
        throw new IllegalStateException("the lease of this tile is closed: get it again");
      }
    }

    /** Ends the lease. Calling it again does nothing. */
    @Override
    public void close() {
      if (!CLOSED.compareAndSet(this, false, true)) {
        return;
      }
      if (tile.pages().confinesSegments()) {
        endLifetime();
      }
      tile.release();
    }
  }
}
