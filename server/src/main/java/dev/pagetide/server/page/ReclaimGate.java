package dev.pagetide.server.page;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * What keeps the shrinker out of a range for the few dozen nanoseconds in which a use of several
 * resident pages looks at all of them and then flips all of them.
 *
 * <p>Without it such a use could flip some pages, meet one that was reclaimed in that moment, then
 * find no memory for it and fail with words changed; and it could not give the flipped pages back,
 * because a second user may rely on them by now. A use of one page needs no gate: there is nothing
 * between its look and its flip but the compare-and-set.
 */
/*
 * ORDER: this is Dekker's handshake, all four accesses sequentially consistent:
 *   user      users += 1;          then read reclaiming
 *   shrinker  reclaiming = true;   then read users
 * At least one of the two sees the other. The user who sees the shrinker goes the slow way, behind
 * the lock that the shrinker holds; the shrinker that sees a user spins for a moment and then skips
 * the range, as it does when the lock is taken. So neither ever waits for long, and the two never
 * run at once. At rest there is no user, so a scan at rest skips nothing.
 */
final class ReclaimGate {
  /** Some microseconds: many times what a use of a whole range takes, unless it was preempted. */
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
   * A user comes in; it must {@link #leave}, whatever the answer. False: a reclaim is under way.
   */
  boolean enter() {
    USERS.getAndAdd(this, 1);
    return !reclaiming;
  }

  void leave() {
    USERS.getAndAdd(this, -1);
  }

  /**
   * The shrinker, holding the range's lock, wants no user inside.
   *
   * @return whether there is none now, and none will come until {@link #open}; if not, the gate is
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
