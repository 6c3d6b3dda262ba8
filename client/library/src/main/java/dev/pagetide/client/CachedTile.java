package dev.pagetide.client;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * A tile of a {@link PageCache} while it belongs to one key: how many leases it has, and whether it
 * holds the key's bytes.
 *
 * <p>Any number of threads may call any method at once. None takes a lock, but for {@link #release}
 * of a tile that the key has lost, or that others wait for.
 */
/*
 * The number of leases is the number of threads that have entered and not left, STOPPING, or
 * RETIRED.
 *
 * A thread enters first and uses the pages afterwards, whether or not others are in: while it is
 * counted nobody stops them and nobody gives the tile to another key. The last to leave turns 1
 * into STOPPING, stops the pages, and only then lets others in: else its stop could hit pages that
 * another thread has entered and found USED. A tile without leases is RETIRED before it goes to
 * another key, and stays so: a thread that found it under its old key enters it no more.
 *
 * Why no lease is given out over bytes that are not there. Only the thread that has claimed the
 * load of a tile asks the server for its pages, and it makes `filled` false before it asks. A
 * thread that takes a lease makes the pages USED by their words alone, and reads `filled`
 * afterwards. So if one of the words says that the page has memory because the server gave it some,
 * the claim's write comes before that in order, and `filled` is true only if the loader has
 * returned since. That includes pages whose request was never answered: the request was this
 * tile's, so the tile does not count as filled, and the use before the next load is told of them.
 *
 * ORDER: a thread that ends a lease writes `leases` and then reads `dropped` and the number of
 * waiting threads; a thread that writes one of those reads `leases` afterwards. All are volatile,
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
   * Its place in the order of eviction: a {@link #lastUse} of some time. The owner's, in its lock.
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

  /** Whether it held its key's bytes when its pages were last seen to hold memory. */
  boolean isFilled() {
    return filled;
  }

  void setFilled(boolean holdsBytes) {
    filled = holdsBytes;
  }

  /** Whether the key has lost it: the last lease gives it back. */
  boolean isDropped() {
    return dropped;
  }

  void drop() {
    dropped = true;
  }

  /** When its last lease ended; the later the greater. */
  long lastUse() {
    return lastUse;
  }

  /** Takes a lease if the tile holds its key's bytes and all its pages their memory. */
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

  /** Counts one more lease; false if the tile is retired. The caller uses the pages now. */
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
   * Whether there are more leases than the caller's. If not, there are none until the tile counts
   * as filled.
   */
  boolean isShared() {
    return leases.get() > 1;
  }

  /** Lets nobody in any more; false if there is a lease. */
  boolean retire() {
    return leases.compareAndSet(0, RETIRED);
  }
}
