package dev.pagetide.server.page;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Who is inside a range that may be closed: a counter that can be shut.
 *
 * <p>Whoever reaches for the range's descriptor enters first and leaves afterwards; closing refuses
 * new entries and waits for the last to leave. The sign bit is "shut", the rest the count.
 */
final class CloseGuard {
  private static final int SHUT = Integer.MIN_VALUE;
  private static final VarHandle STATE;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(CloseGuard.class, "state", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private volatile int state;
  private volatile @Nullable Thread closer;

  /**
   * Enters.
   *
   * @throws PageFailure.Closed if it is shut
   */
  void enter() {
    if (!tryEnter()) {
      throw new PageFailure.Closed();
    }
  }

  /** Enters, unless it is shut. */
  boolean tryEnter() {
    if ((int) STATE.getAndAdd(this, 1) >= 0) {
      return true;
    }
    leave();
    return false;
  }

  /** Leaves what {@link #tryEnter} entered. */
  void leave() {
    if ((int) STATE.getAndAdd(this, -1) == SHUT + 1) {
      // ORDER: the closer wrote its name before it set SHUT, which we have just read.
      LockSupport.unpark(closer);
    }
  }

  /** Whether new entries are refused. */
  boolean isShut() {
    return state < 0;
  }

  /**
   * Refuses whoever comes too late and needs no entry.
   *
   * @throws PageFailure.Closed if it is shut
   */
  void checkOpen() {
    if (isShut()) {
      throw new PageFailure.Closed();
    }
  }

  /** What an access to the mapping, made without an entry, means that came after its end. */
  PageFailure closed(IllegalStateException e) {
    if (!isShut()) {
      throw e;
    }
    return new PageFailure.Closed();
  }

  /**
   * Refuses new entries and waits until nobody is inside. Not interruptible: the memory has to come
   * back.
   *
   * @return false if somebody else has shut it before
   */
  boolean shutAndAwait() {
    synchronized (this) {
      if (isShut()) {
        return false;
      }
      closer = Thread.currentThread();
      STATE.getAndBitwiseOr(this, SHUT);
    }
    boolean interrupted = false;
    while (state != SHUT) {
      LockSupport.park(this);
      interrupted |= Thread.interrupted();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return true;
  }
}
