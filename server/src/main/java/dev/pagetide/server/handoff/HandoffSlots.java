package dev.pagetide.server.handoff;

import java.util.HashMap;
import java.util.Map;

/**
 * Who is connected to the hand-over socket at the moment.
 *
 * <p>Besides those that are served, as many may stay for a moment that are told to try again: a
 * client that was cut off while it still sends its token would not find the answer, but EPIPE.
 *
 * <p>Confined to the event loop.
 */
final class HandoffSlots {
  /** What a connection takes. */
  enum Slot {
    /** It is served. */
    SERVED,
    /** It is told to try again, and may stay until it has sent its token. */
    TURNED_AWAY,
    /** It is told to try again and closed. */
    NONE
  }

  private final HandoffConfig limits;
  private final Map<Integer, Integer> servedByUid = new HashMap<>();
  private int served;
  private int turnedAway;

  HandoffSlots(HandoffConfig limits) {
    this.limits = limits;
  }

  /** The best slot there is for a connection of this user; to be given back by {@link #leave}. */
  Slot enter(int uid) {
    int ofUid = servedByUid.getOrDefault(uid, 0);
    if (served < limits.maxConnections() && ofUid < limits.maxConnectionsPerUid()) {
      servedByUid.put(uid, ofUid + 1); // before the other, which cannot fail
      served++;
      return Slot.SERVED;
    }
    if (turnedAway < limits.maxConnections()) {
      turnedAway++;
      return Slot.TURNED_AWAY;
    }
    return Slot.NONE;
  }

  void leave(Slot slot, int uid) {
    switch (slot) {
      case SERVED -> {
        served--;
        servedByUid.computeIfPresent(uid, (_, count) -> count == 1 ? null : count - 1);
      }
      case TURNED_AWAY -> turnedAway--;
      case NONE -> {}
    }
  }
}
