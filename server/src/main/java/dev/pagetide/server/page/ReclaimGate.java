package dev.pagetide.server.page;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Keeps the shrinker out of a range for a few dozen nanoseconds, in which a call that uses several
 * resident pages first reads all their words and then flips all of them.
 *
 * <p>Without the gate such a call could flip some pages, then find that another page was reclaimed
 * in that moment, then get no memory for it, and so fail with words changed. It could not give the
 * flipped pages back, because a second user may rely on them by now. A call that uses one page
 * needs no gate, because there is only the compare-and-set between its read and its flip.
 */
/*
 * ORDER: this is Dekker's handshake; all four accesses are sequentially consistent:
 * - user: users += 1; then read reclaiming
 * - shrinker: reclaiming = true; then read users
 *
 * At least one of the two sees the other. A user that sees the shrinker takes the slow path, behind
 * the lock that the shrinker holds. A shrinker that sees a user spins for a moment and then skips
 * the range, as it does when the lock is taken. So neither ever waits for long, and the two never
 * run at once. At rest there is no user, so a scan at rest skips nothing.
 */
final class ReclaimGate {
  /**
   * Some microseconds: many times what a call that uses a whole range takes, unless its thread was
   * preempted.
   */
  private static final int SPINS = 2_000;

  private static final VarHandle USERS;

  static {
    try {
      USERS = MethodHandles.lookup().findVarHandle(ReclaimGate.class, "users", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private volatile int users;
  private volatile boolean reclaiming;

  /**
   * Counts a user in. It must {@link #leave}, whatever this returns. False: a reclaim is under way.
   */
  boolean enter() {
    USERS.getAndAdd(this, 1);
    return !reclaiming;
  }

  void leave() {
    USERS.getAndAdd(this, -1);
  }

  /**
   * Closes the gate for the shrinker, which holds the range's lock.
   *
   * @return true if no user is inside, and none enters until {@link #open}; if false, the gate is
   *     open
   */
  boolean tryClose() {
    reclaiming = true;
    for (int spin = 0; spin < SPINS; spin++) {
      if (users == 0) {
        return true;
      }
      Thread.onSpinWait();
    }
    reclaiming = false;
    return false;
  }

  void open() {
    reclaiming = false;
  }
}
