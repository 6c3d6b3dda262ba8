package dev.pagetide.server.page;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Counts the threads that are inside a range, and can be shut, so that the range can be closed.
 *
 * <p>A thread that uses the range's descriptor enters first and leaves afterwards. Closing refuses
 * new entries and waits for the last thread to leave. The sign bit means "shut"; the other bits are
 * the count.
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
   * @throws PageFailure.Closed if the guard is shut
   */
  void enter() {
    if (!tryEnter()) {
      throw new PageFailure.Closed();
    }
  }

  /** Enters, unless the guard is shut; returns whether it did. */
  boolean tryEnter() {
    if ((int) STATE.getAndAdd(this, 1) >= 0) {
      return true;
    }
    leave();
    return false;
  }

  /** Undoes {@link #tryEnter}. */
  void leave() {
    if ((int) STATE.getAndAdd(this, -1) == SHUT + 1) {
      // ORDER: the closing thread wrote `closer` before it set SHUT, which we have just read.
      LockSupport.unpark(closer);
    }
  }

  /** Whether new entries are refused. */
  boolean isShut() {
    return state < 0;
  }

  /**
   * Refuses a caller that needs no entry but comes after the range was shut.
   *
   * @throws PageFailure.Closed if the guard is shut
   */
  void checkOpen() {
    if (isShut()) {
      throw new PageFailure.Closed();
    }
  }

  /**
   * The failure to throw when an access to the mapping, made without an entry, found the mapping
   * ended.
   */
  PageFailure closed(IllegalStateException e) {
    if (!isShut()) {
      throw e;
    }
    return new PageFailure.Closed();
  }

  /**
   * Refuses new entries and waits until no thread is inside. Not interruptible, because the memory
   * has to be given back.
   *
   * @return false if another thread has shut it before
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
