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
 * <p>The range is cut into tiles of equal size. Each key in the cache has one tile. A tile holds
 * its key's bytes for as long as a lease on it is open. The cache may give a tile without a lease
 * to another key; it takes the least recently used tile first. The server may also take the pages
 * of such a tile. In both cases the next {@link #get} of the key finds that out and loads the tile
 * again. The cache never gives out bytes that no loader has finished.
 *
 * <p>Any number of threads may call any method at once. The cache compares keys by {@code equals}
 * and keeps them on the heap. One thread loads a key. Other threads that want the key wait for as
 * long as that loader runs, or until they are interrupted. If a loader throws, the {@code get} that
 * called it throws the same exception, and one of the waiting threads loads with its own loader.
 *
 * @param <K> the key of a tile
 */
public final class PageCache<K> implements AutoCloseable {

  private final TilePages pages;
  private final CacheTiles<K> tiles;
  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final LongAdder loads = new LongAdder();
  private final LongAdder lost = new LongAdder();

  /** A cache with the caller's index, for tests; otherwise use {@link #over}. */
  PageCache(TilePages pages, CacheTiles<K> tiles) {
    this.pages = pages;
    this.tiles = tiles;
  }

  /**
   * A cache over {@code range}. The cache owns the range from now on: no other code may use or stop
   * its pages, and {@link #close} closes it. If this throws, the caller still owns the range.
   *
   * @param tilePages pages of a tile; pages of the range beyond the last whole tile stay unused
   * @throws IllegalArgumentException if the range does not have that many pages, or if it is 0
   * @throws UnsupportedOperationException if the range is {@link RangeAccess#REMOTE}, because its
   *     bytes are not in this process
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

  /** How many tiles there are, and so how many keys can have their bytes here at once. */
  public int tileCount() {
    return pages.tileCount();
  }

  /** How many bytes a tile has. */
  public long tileBytes() {
    return pages.tileBytes();
  }

  /**
   * Takes a lease on the tile that holds the bytes of {@code key}. If the bytes are not there,
   * {@code loader} writes them. If all tiles have a lease, this waits until one ends, at most the
   * client's call timeout.
   *
   * @throws X if the loader throws it; the tile does not count as loaded then
   * @throws IllegalStateException if this thread already runs the loader of the same key; or if it
   *     runs the loader of another key, for which the thread that loads this key waits; or if this
   *     thread delivers answers
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
   * Forgets the bytes of {@code key}: a {@code get} that begins after this has returned loads them
   * again. Open leases keep their bytes. A load that is under way goes on; its own caller gets its
   * bytes, and the threads that wait for it load again.
   */
  public void invalidate(K key) {
    tiles.invalidate(key);
  }

  /** What this cache has done so far. */
  public PageCacheStatistics statistics() {
    return new PageCacheStatistics(hits.sum(), misses.sum(), loads.sum(), lost.sum());
  }

  /**
   * Closes the range, and refuses every {@code get} from now on, also those that wait. It does not
   * wait for open leases: their bytes become inaccessible, as at {@link PageRange#close}, and
   * closing them later throws nothing. Segments that {@link ClientOptions#confinedSegments}
   * confines end with their lease instead. Calling it again does nothing.
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
     * The bytes. The segment is read-only, because other threads read the same bytes. Do not touch
     * it once this lease is closed, as at {@link UsedPages#segment}.
     *
     * @throws PagetideException if {@link ClientOptions#confinedSegments} is set, and the cache was
     *     closed or the host refuses another mapping
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
