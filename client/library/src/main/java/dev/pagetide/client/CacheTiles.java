package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Which key has which tile of a {@link PageCache}, which thread loads a tile, and which tile is
 * evicted next.
 *
 * <p>Any number of threads may call any method at once. {@link #find} takes no lock.
 */
/*
 * LOCKS: one, held for a few steps of bookkeeping; never over a loader, a request to the server, or
 * a wait for another thread's stop. A thread that waits for a load or a tile waits on `changed`.
 *
 * The order of eviction is a set by `rank`, which is what `lastUse` was when the tile was put
 * there. `lastUse` only grows, so the tile with the least rank is the least recently used one if
 * its rank is still right; else it is put back with the right one. So a hit does not touch the
 * order.
 */
final class CacheTiles<K> {

  private final TilePages pages;
  private final long callTimeoutNanos;
  private final long startNanos = System.nanoTime();
  private final ConcurrentHashMap<K, CachedTile<K>> index = new ConcurrentHashMap<>();

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  @GuardedBy("lock")
  private final Deque<Integer> free = new ArrayDeque<>();

  /** The tiles of the index. */
  @GuardedBy("lock")
  private final TreeSet<CachedTile<K>> order =
      new TreeSet<>(
          Comparator.<CachedTile<K>>comparingLong(tile -> tile.rank)
              .thenComparingInt(CachedTile::number));

  @GuardedBy("lock")
  private final Map<CachedTile<K>, Load> loads = new HashMap<>();

  /** The load that each waiting thread waits for. */
  @GuardedBy("lock")
  private final Map<Thread, CachedTile<K>> waiting = new HashMap<>();

  @GuardedBy("lock")
  private boolean closed;

  /** Threads that wait for a tile; written with the lock held. */
  private final AtomicInteger starving = new AtomicInteger();

  /** A load that is under way. */
  private static final class Load {
    private final Thread loader = Thread.currentThread();

    /** Whether the key was invalidated since it began. */
    private boolean stale;
  }

  CacheTiles(TilePages pages, long callTimeoutNanos) {
    this.pages = pages;
    this.callTimeoutNanos = callTimeoutNanos;
    for (int tile = 0; tile < pages.tileCount(); tile++) {
      free.add(tile);
    }
  }

  /** A clock for the order of eviction. */
  long clock() {
    return System.nanoTime() - startNanos;
  }

  /** The tile that a key has. */
  @Nullable CachedTile<K> find(K key) {
    return index.get(key);
  }

  /** Whether a thread waits for a tile, so that the end of a lease is to be told. */
  boolean isWaitedFor() {
    return starving.get() > 0;
  }

  /**
   * Gives this thread the load of a key's tile, which it must end with {@link #loaded} or {@link
   * #failed}; gives the key a tile if it has none. Waits while another thread loads it.
   *
   * @return null if another thread has loaded it meanwhile
   * @throws IllegalStateException if this thread loads the key already, or would wait for a load
   *     that waits for one of this thread's
   * @throws PagetideException if this thread is interrupted, no tile becomes free within the call
   *     timeout, or the cache is closed
   */
  @Nullable CachedTile<K> claim(K key) {
    lock.lock();
    try {
      boolean waited = false;
      long left = callTimeoutNanos;
      while (true) {
        if (closed) {
          throw PagetideException.local(StatusCode.ABORTED, "this cache was closed here");
        }
        CachedTile<K> tile = index.get(key);
        if (tile == null) {
          tile = newTile(key);
        } else if (waited && tile.isFilled() && !loads.containsKey(tile)) {
          return null;
        }
        if (tile == null) {
          long before = System.nanoTime();
          awaitTile(key, left);
          left -= System.nanoTime() - before;
        } else if (loads.putIfAbsent(tile, new Load()) == null) {
          return tile;
        } else {
          awaitLoad(tile);
          waited = true;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw PagetideException.local(
          StatusCode.CANCELLED, "interrupted while waiting for a tile of the cache", e);
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private @Nullable CachedTile<K> newTile(K key) {
    Integer number = free.poll();
    if (number == null) {
      number = evict();
    }
    if (number == null) {
      return null;
    }
    CachedTile<K> tile = new CachedTile<>(key, number, this, pages);
    index.put(key, tile);
    order.add(tile);
    return tile;
  }

  /** Takes the least recently used tile from its key, but none that has a lease or is loaded. */
  @GuardedBy("lock")
  private @Nullable Integer evict() {
    List<CachedTile<K>> kept = new ArrayList<>();
    Integer number = null;
    while (number == null && !order.isEmpty()) {
      CachedTile<K> oldest = order.removeFirst();
      long lastUse = oldest.lastUse();
      if (lastUse != oldest.rank) {
        oldest.rank = lastUse;
        order.add(oldest);
      } else if (!loads.containsKey(oldest) && oldest.retire()) {
        index.remove(oldest.key());
        number = oldest.number();
      } else {
        kept.add(oldest);
      }
    }
    order.addAll(kept);
    return number;
  }

  /** Waits until there may be a tile for the key. */
  @GuardedBy("lock")
  private void awaitTile(K key, long nanos) throws InterruptedException {
    if (nanos <= 0) {
      throw PagetideException.local(StatusCode.RESOURCE_EXHAUSTED, noTile());
    }
    starving.incrementAndGet();
    try {
      // A lease that ended before `starving` was written was not told, so we look before we wait.
      long left = nanos;
      while (left > 0 && !closed && free.isEmpty() && !hasEvictable() && !index.containsKey(key)) {
        left = changed.awaitNanos(left);
      }
    } finally {
      starving.decrementAndGet();
    }
  }

  @GuardedBy("lock")
  private boolean hasEvictable() {
    for (CachedTile<K> tile : order) {
      if (!loads.containsKey(tile) && !tile.isLeased()) {
        return true;
      }
    }
    return false;
  }

  private String noTile() {
    return "all "
        + pages.tileCount()
        + " tiles of the cache are leased, and none was closed within call_timeout_ms="
        + TimeUnit.NANOSECONDS.toMillis(callTimeoutNanos)
        + "; close tiles sooner, or open the range with a larger size (OpenOptions.sizeBytes; now "
        + pages.range().sizeBytes()
        + ", the server's limit is --max-range-bytes)";
  }

  @GuardedBy("lock")
  private void awaitLoad(CachedTile<K> tile) throws InterruptedException {
    checkNoCircle(tile);
    Thread self = Thread.currentThread();
    waiting.put(self, tile);
    Load load = loads.get(tile);
    try {
      while (!closed && load != null && load.equals(loads.get(tile))) {
        changed.await();
      }
    } finally {
      waiting.remove(self);
    }
  }

  /** Follows the loads that wait for each other; each thread waits for one at most. */
  @GuardedBy("lock")
  private void checkNoCircle(CachedTile<K> tile) {
    CachedTile<K> next = tile;
    for (int step = 0; next != null && step <= waiting.size(); step++) {
      Load load = loads.get(next);
      if (load == null) {
        return;
      }
      if (load.loader.equals(Thread.currentThread())) {
        throw new IllegalStateException(
            step == 0
                ? "the loader of key " + tile.key() + " asks for its own key"
                : "the loader of key "
                    + next.key()
                    + " asks for key "
                    + tile.key()
                    + ", whose loader waits for the former");
      }
      next = waiting.get(load.loader);
    }
  }

  /** The load of a claimed tile has ended, and the tile holds its key's bytes. */
  void loaded(CachedTile<K> tile) {
    lock.lock();
    try {
      Load load = loads.remove(tile);
      if (load != null && load.stale) {
        drop(tile);
      } else {
        tile.setFilled(true);
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /**
   * The load of a claimed tile has failed: one of the threads that wait for it loads next. Or it
   * did not begin, because other threads have leases on the tile: they keep it, and the key gets
   * another tile.
   */
  void failed(CachedTile<K> tile) {
    lock.lock();
    try {
      Load load = loads.remove(tile);
      boolean stale = load != null && load.stale;
      if (stale || tile.isLeased() || !waiting.containsValue(tile)) {
        drop(tile);
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Takes a key's tile away; its bytes stay for those who have a lease. */
  void invalidate(K key) {
    lock.lock();
    try {
      CachedTile<K> tile = index.get(key);
      if (tile == null) {
        return;
      }
      Load load = loads.get(tile);
      if (load == null) {
        drop(tile);
        changed.signalAll();
      } else {
        load.stale = true;
        tile.setFilled(false);
      }
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void drop(CachedTile<K> tile) {
    index.remove(tile.key());
    order.remove(tile);
    tile.drop();
    if (tile.retire()) {
      free.add(tile.number());
    }
  }

  /** The last lease of a dropped tile has ended, or any lease while a thread waits for a tile. */
  void released(CachedTile<K> tile) {
    lock.lock();
    try {
      if (tile.isDropped() && tile.retire()) {
        free.add(tile.number());
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Refuses every later claim, and those who wait. */
  void close() {
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
