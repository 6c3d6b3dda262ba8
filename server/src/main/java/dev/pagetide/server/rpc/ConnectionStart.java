package dev.pagetide.server.rpc;

import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The time until HTTP/2 begins on a connection, with the client's first SETTINGS frame. A
 * connection that takes too long is closed.
 *
 * <p>gRPC's own timeout would do the same, but tells nobody. Confined to the connection's loop.
 */
final class ConnectionStart extends ChannelInboundHandlerAdapter {
  /** Enough for a loop that stood still to read from its connections. */
  private static final long GRACE_MILLIS = 100;

  private final Peer peer;
  private final Duration requestWait;
  private final CutOffObserver cutOffs;
  private @Nullable ChannelHandlerContext own;
  private @Nullable Future<?> deadline;

  ConnectionStart(Peer peer, Duration requestWait, CutOffObserver cutOffs) {
    this.peer = peer;
    this.requestWait = requestWait;
    this.cutOffs = cutOffs;
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    own = context;
    deadline =
        context
            .executor()
            .schedule(() -> lookAgain(context), requestWait.toMillis(), TimeUnit.MILLISECONDS);
    context.fireChannelActive();
  }

  /** If this loop stood still, what the client has sent in time is read before that task runs. */
  private void lookAgain(ChannelHandlerContext context) {
    deadline =
        context.executor().schedule(() -> timeIsUp(context), GRACE_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** HTTP/2 has begun: this is no longer needed. */
  void isOver() {
    ChannelHandlerContext context = own;
    if (context != null) {
      own = null;
      cancel();
      context.pipeline().remove(this);
    }
  }

  private void timeIsUp(ChannelHandlerContext context) {
    var _ = context.close();
    cutOffs.cutOff(
        peer,
        "--request-wait",
        String.format(
            Locale.ROOT,
            "HTTP/2 did not begin on its connection within --request-wait=%dms",
            requestWait.toMillis()));
  }

  private void cancel() {
    Future<?> timer = deadline;
    if (timer != null) {
      timer.cancel(false);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    cancel();
    context.fireChannelInactive();
  }
}
