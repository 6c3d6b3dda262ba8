package dev.pagetide.server.rpc;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The calls of one event loop whose requests are not all in, in the order in which they began. A
 * call that stays here too long is ended.
 *
 * <p>Confined to the loop.
 */
/*
 * Time is counted in ticks, each an eighth of --request-wait. A warm call then costs two links in a
 * list, and neither a timer nor a reading of the clock. A tick is a task of the loop itself, and
 * each is scheduled by the one before it. So the loop reads from its sockets between two ticks: if
 * the server itself was stopped for a while, one tick passes, and no request is late because of
 * that. While no call is here, nothing ticks.
 */
final class ArrivingCalls {
  /** A call that has been here for more than so many ticks is too late. */
  static final int TICKS = 8;

  /** Runs a task on this loop one tick later. */
  private final Consumer<Runnable> oneTickLater;

  private InFlight.@Nullable Ticket first;
  private InFlight.@Nullable Ticket last;
  private int now;
  private boolean ticking;

  /** No calls. */
  ArrivingCalls(Consumer<Runnable> oneTickLater) {
    this.oneTickLater = oneTickLater;
  }

  /** Adds a call that begins. */
  void add(InFlight.Ticket call) {
    call.beganAtTick = now;
    call.previous = last;
    if (last == null) {
      first = call;
    } else {
      last.next = call;
    }
    last = call;
    if (!ticking) {
      ticking = true;
      oneTickLater.accept(this::tick);
    }
  }

  /** Removes a call that is here. */
  void remove(InFlight.Ticket call) {
    InFlight.Ticket before = call.previous;
    InFlight.Ticket after = call.next;
    if (before == null) {
      first = after;
    } else {
      before.next = after;
    }
    if (after == null) {
      last = before;
    } else {
      after.previous = before;
    }
    call.previous = null;
    call.next = null;
  }

  private void tick() {
    now++;
    try {
      InFlight.Ticket oldest = first;
      while (oldest != null && now - oldest.beganAtTick > TICKS) {
        oldest.isTooLate(); // removes it
        oldest = first;
      }
    } finally {
      ticking = first != null;
      if (ticking) {
        oneTickLater.accept(this::tick);
      }
    }
  }
}
