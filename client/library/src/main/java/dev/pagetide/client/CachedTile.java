package dev.pagetide.client;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * A tile of a {@link PageCache} while it belongs to one key. It knows how many leases it has, and
 * whether it holds the key's bytes.
 *
 * <p>Any number of threads may call any method at once. No method takes a lock, except {@link
 * #release} of a tile that its key has lost, or while other threads wait for a tile.
 */
/*
 * The number of leases is the number of threads that have entered and not left, STOPPING, or
 * RETIRED.
 *
 * A thread first enters and then uses the pages, whether or not other threads have entered. While
 * it is counted, no thread stops the pages, and no thread gives the tile to another key. The last
 * thread to leave turns 1 into STOPPING, stops the pages, and only then lets others in. Otherwise
 * its stop could hit pages of another thread that has entered and found them USED. A tile without
 * leases is RETIRED before it goes to another key, and stays so. A thread that found it under its
 * old key can no longer enter it.
 *
 * Why there is no lease on bytes that are not there. Only the thread that has claimed the load of a
 * tile asks the server for its pages, and it makes `filled` false before it asks. A thread that
 * takes a lease makes the pages USED by their words alone, and then reads `filled`. If one of the
 * words says that the page has memory because the server gave it some, then the claim's write
 * happened before that. So `filled` is true only if the loader has returned since. This includes
 * pages whose request was never answered: the request was for this tile, so the tile does not count
 * as filled, and the request before the next load reports these pages as fresh.
 *
 * ORDER: a thread that ends a lease writes `leases` and then reads `dropped` and the number of
 * waiting threads. A thread that writes one of those reads `leases` afterwards. All are volatile,
 * so one of the two sees the other's write, and no tile is left without an owner.
 */
final class CachedTile<K> {

  private static final int STOPPING = -1;
  private static final int RETIRED = -2;

  private final K key;
  private final int number;
  private final CacheTiles<K> owner;
  private final TilePages pages;
  private final AtomicInteger leases = new AtomicInteger();

  private volatile boolean filled;
  private volatile boolean dropped;
  private volatile long lastUse;

  /**
   * Its place in the order of eviction: the {@link #lastUse} at some earlier time. Guarded by the
   * owner's lock.
   */
  long rank;

  CachedTile(K key, int number, CacheTiles<K> owner, TilePages pages) {
    this.key = key;
    this.number = number;
    this.owner = owner;
    this.pages = pages;
    this.lastUse = owner.clock();
    this.rank = lastUse;
  }

  K key() {
    return key;
  }

  /** Which tile of the range it is. */
  int number() {
    return number;
  }

  TilePages pages() {
    return pages;
  }

  /** Whether it held its key's bytes when a thread last found that its pages hold memory. */
  boolean isFilled() {
    return filled;
  }

  void setFilled(boolean holdsBytes) {
    filled = holdsBytes;
  }

  /** Whether the key has lost it; then the end of the last lease gives it back. */
  boolean isDropped() {
    return dropped;
  }

  void drop() {
    dropped = true;
  }

  /** When its last lease ended; a later time is greater. */
  long lastUse() {
    return lastUse;
  }

  /** Takes a lease if the tile holds its key's bytes and all its pages hold memory. */
  boolean tryLease() {
    if (!filled || !enter()) {
      return false;
    }
    if (pages.tryUse(number) && filled) { // in this order; see above
      return true;
    }
    release();
    return false;
  }

  /** Counts one more lease; false if the tile is retired. The caller must use the pages next. */
  boolean enter() {
    for (int waits = 0; ; waits++) {
      int seen = leases.get();
      if (seen == RETIRED) {
        return false;
      }
      if (seen == STOPPING) {
        PageUsers.await(waits);
      } else if (leases.compareAndSet(seen, seen + 1)) {
        return true;
      }
    }
  }

  /** Ends a lease. */
  void release() {
    try {
      leave();
    } finally {
      if (dropped || owner.isWaitedFor()) {
        owner.released(this);
      }
    }
  }

  private void leave() {
    while (true) {
      int seen = leases.get();
      if (leases.compareAndSet(seen, seen == 1 ? STOPPING : seen - 1)) {
        if (seen == 1) {
          stop();
        }
        return;
      }
    }
  }

  private void stop() {
    try {
      pages.stop(number);
    } finally {
      lastUse = owner.clock();
      leases.set(0);
    }
  }

  /** Whether it has a lease, or its last one is just ending. */
  boolean isLeased() {
    return leases.get() != 0;
  }

  /**
   * Whether there are other leases than the caller's. If not, there will be none until the tile
   * counts as filled.
   */
  boolean isShared() {
    return leases.get() > 1;
  }

  /** Refuses every further lease; false if there is a lease. */
  boolean retire() {
    return leases.compareAndSet(0, RETIRED);
  }
}
