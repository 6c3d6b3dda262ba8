package dev.pagetide.server.handoff;

import java.util.HashMap;
import java.util.Map;

/**
 * The connections to the hand-off socket at the moment, by their users.
 *
 * <p>Besides the connections that are served, an equal number of those that are told to try again
 * may stay for a moment. If the server closed such a connection while the client still sends its
 * token, the client would not find the answer, but EPIPE.
 *
 * <p>Confined to the event loop.
 */
final class HandoffSlots {
  /** How the server treats a connection. */
  enum Slot {
    /** The server serves it. */
    SERVED,
    /** The server tells it to try again. It may stay until it has sent its token. */
    TURNED_AWAY,
    /** The server tells it to try again, and closes it. */
    NONE
  }

  private final HandoffConfig limits;
  private final Map<Integer, Integer> servedByUid = new HashMap<>();
  private int served;
  private int turnedAway;

  HandoffSlots(HandoffConfig limits) {
    this.limits = limits;
  }

  /** Takes the best free slot for a connection of this user. {@link #leave} gives it back. */
  Slot enter(int uid) {
    int ofUid = servedByUid.getOrDefault(uid, 0);
    if (served < limits.maxConnections() && ofUid < limits.maxConnectionsPerUid()) {
      servedByUid.put(uid, ofUid + 1); // before the other count, because that cannot fail
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
