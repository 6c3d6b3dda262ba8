package dev.pagetide.server.rpc;

import io.netty.channel.Channel;

/**
 * Whether a connection is read from. Several handlers may stop that, each for a reason of its own;
 * it is read from again once all of them have resumed.
 *
 * <p>Confined to the connection's event loop.
 */
final class Reading {
  private int stops;

  /** Stops reading, until {@link #resume} is called as often as this. */
  void stop(Channel channel) {
    stops++;
    channel.config().setAutoRead(false);
  }

  /** Takes one {@link #stop} back. */
  void resume(Channel channel) {
    stops--;
    if (stops == 0) {
      channel.config().setAutoRead(true);
    }
  }

  boolean isStopped() {
    return stops > 0;
  }
}
