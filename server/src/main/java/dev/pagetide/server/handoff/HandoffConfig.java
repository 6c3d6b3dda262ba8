package dev.pagetide.server.handoff;

import java.time.Duration;

/**
 * What clients may take of the hand-over socket.
 *
 * @param maxConnections most connections served at once: {@code --max-handoffs}
 * @param connectionWait how long one may last, from its acceptance: {@code --handoff-wait}
 */
public record HandoffConfig(int maxConnections, Duration connectionWait) {
  /** The share of one user: a quarter, but one at least. */
  int maxConnectionsPerUid() {
    return Math.max(1, maxConnections / 4);
  }
}
