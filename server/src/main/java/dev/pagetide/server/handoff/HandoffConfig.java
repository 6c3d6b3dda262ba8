package dev.pagetide.server.handoff;

import java.time.Duration;

/**
 * The limits on connections to the hand-off socket.
 *
 * @param maxConnections most connections served at once: {@code --max-handoffs}
 * @param connectionWait how long one connection may last after its acceptance: {@code
 *     --handoff-wait}
 */
public record HandoffConfig(int maxConnections, Duration connectionWait) {
  /** Most connections of one user served at once: a quarter of all, but at least one. */
  int maxConnectionsPerUid() {
    return Math.max(1, maxConnections / 4);
  }
}
