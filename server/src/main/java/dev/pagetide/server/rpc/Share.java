package dev.pagetide.server.rpc;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A limit on requests in flight, in calls and in bytes, and what counts against it: the whole
 * server's, that of one uid, or that of one connection. Thread-safe.
 */
final class Share {
  private final int maxCalls;
  private final long maxBytes;
  private final AtomicInteger calls = new AtomicInteger();
  private final AtomicLong bytes = new AtomicLong();

  /** A limit against which nothing counts yet; it admits at least one call and one byte. */
  Share(int maxCalls, long maxBytes) {
    this.maxCalls = Math.max(1, maxCalls);
    this.maxBytes = Math.max(1, maxBytes);
  }

  /** How many bytes it admits. */
  long maxBytes() {
    return maxBytes;
  }

  /** A limit of as much as this one admits. */
  Share likeIt() {
    return new Share(maxCalls, maxBytes);
  }

  /** A limit of half of what this one admits. */
  Share half() {
    return new Share(maxCalls / 2, maxBytes / 2);
  }

  /** Counts a call; returns how many count now. */
  int addCall() {
    return calls.incrementAndGet();
  }

  /** Counts a call no longer; returns how many count now. */
  int removeCall() {
    return calls.decrementAndGet();
  }

  /** Counts bytes, or no longer if there are fewer than 0; returns how many count now. */
  long addBytes(long size) {
    return bytes.addAndGet(size);
  }

  /**
   * Whether more counts against it than it admits.
   *
   * @param ofCalls whether calls are asked for, and not bytes
   * @param ownBytes the bytes of the call that asks. If they are all there are, they are not too
   *     many
   */
  boolean isOver(boolean ofCalls, long ownBytes) {
    if (ofCalls) {
      return calls.get() > maxCalls;
    }
    long now = bytes.get();
    return now > maxBytes && now > ownBytes;
  }

  /** Whether at most so much counts against it. */
  boolean isWithin(int fewCalls, long fewBytes) {
    return calls.get() <= fewCalls && bytes.get() <= fewBytes;
  }
}
