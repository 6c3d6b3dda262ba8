package dev.pagetide.server.handoff;

import dev.pagetide.server.handoff.HandoffSlots.Slot;
import dev.pagetide.server.os.FileDuplicate;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.SessionFailure;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.shm.HandoffStatus;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.unix.Errors;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.PeerCredentials;
import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to the hand-off socket, from its acceptance to its end: one request, one answer.
 *
 * <p>Confined to its event loop. Whatever the client does or does not do, the connection ends
 * within {@link HandoffConfig#connectionWait}, and every duplicate made for it is closed.
 */
/*
 * The server sends a duplicate, never the range's own descriptor. Netty sends a number, and may
 * send it later than it was asked to. If the session ended in between, the number of the range's
 * own descriptor could by then belong to the file of another session. The duplicate belongs to this
 * connection: we make it while the range cannot close, and close it when the write has succeeded or
 * failed. Netty completes every write, if only with a failure when the channel is closed. So the
 * number stands for that one file for as long as Netty may send it.
 *
 * The status byte is a write of its own, before that of the descriptor, because Netty sends a
 * descriptor as a message of one byte with SCM_RIGHTS. The client reads exactly one byte. A longer
 * read could reach into the next message, and drop the descriptor that it carries.
 */
final class HandoffConnection extends ChannelInboundHandlerAdapter {
  private static final Logger LOG = LoggerFactory.getLogger(HandoffConnection.class);

  private final SessionRegistry sessions;
  private final HandoffConfig limits;
  private final HandoffSlots slots;
  private final HandoffObserver observer;
  private final CutOffObserver cutOffs;
  private final HandoffRequest request = new HandoffRequest();

  private @Nullable Future<?> deadline;
  private Peer peer = Peer.TCP;
  private Slot slot = Slot.NONE;

  /** Whether the answer is written, or is about to be. */
  private boolean answered;

  /** Whether the connection may close: the client sends nothing more that we must read first. */
  private boolean requestOver;

  private boolean reported;

  HandoffConnection(
      SessionRegistry sessions,
      HandoffConfig limits,
      HandoffSlots slots,
      HandoffObserver observer,
      CutOffObserver cutOffs) {
    this.sessions = sessions;
    this.limits = limits;
    this.slots = slots;
    this.observer = observer;
    this.cutOffs = cutOffs;
  }

  @Override
  public void channelActive(ChannelHandlerContext context) throws IOException {
    PeerCredentials credentials = ((EpollDomainSocketChannel) context.channel()).peerCredentials();
    peer = Peer.unix(credentials.uid(), credentials.pid());
    slot = slots.enter(peer.uid());
    deadline =
        context
            .executor()
            .schedule(
                () -> timeIsUp(context), limits.connectionWait().toMillis(), TimeUnit.MILLISECONDS);
    if (slot != Slot.SERVED) {
      requestOver = slot == Slot.NONE;
      cutOffs.cutOff(
          peer,
          "--max-handoffs",
          String.format(
              Locale.ROOT,
              "as many connections to the hand-off socket are served as --max-handoffs=%d admits,"
                  + " %d of them for one uid; it is told to try again",
              limits.maxConnections(),
              limits.maxConnectionsPerUid()));
      answer(context, HandoffStatus.BUSY, HandoffOutcome.BUSY);
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    ByteBuf bytes = (ByteBuf) message;
    try {
      HandoffRequest.State state = request.add(bytes);
      if (state != HandoffRequest.State.INCOMPLETE) {
        requestEnded(context, state);
      }
    } finally {
      bytes.release();
    }
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      // The client closed the connection, or closed only its sending half. In the second case it
      // can still read an answer.
      requestEnded(context, HandoffRequest.State.MALFORMED);
    }
  }

  private void requestEnded(ChannelHandlerContext context, HandoffRequest.State state) {
    requestOver = true;
    if (answered) {
      var _ = context.close();
    } else if (state == HandoffRequest.State.COMPLETE) {
      handOver(context);
    } else {
      answer(context, HandoffStatus.MALFORMED, HandoffOutcome.MALFORMED);
    }
  }

  private void timeIsUp(ChannelHandlerContext context) {
    requestOver = true;
    if (!answered) {
      cutOffs.cutOff(
          peer,
          "--handoff-wait",
          String.format(
              Locale.ROOT,
              "its token did not come within --handoff-wait=%dms",
              limits.connectionWait().toMillis()));
      answer(context, HandoffStatus.TOO_LATE, HandoffOutcome.TOO_LATE);
    }
    // Also if the answer could not be written, because the client does not read it.
    var _ = context.close();
  }

  private void handOver(ChannelHandlerContext context) {
    FileDuplicate duplicate;
    try {
      duplicate = sessions.findOpenedBy(peer, request.token()).range().duplicateFile();
    } catch (SessionFailure.Unknown | PageFailure.Closed e) {
      answer(context, HandoffStatus.UNKNOWN_SESSION, HandoffOutcome.UNKNOWN_SESSION);
      return;
    } catch (PageFailure.SystemRefused e) {
      answer(context, HandoffStatus.FAILED, HandoffOutcome.FAILED);
      return;
    }
    boolean passing = false;
    try {
      pass(context, duplicate);
      passing = true;
    } finally {
      if (!passing) {
        // In this order: a closed channel has failed every write, so Netty does not send the
        // number.
        var _ = context.close();
        duplicate.close();
      }
    }
  }

  private void pass(ChannelHandlerContext context, FileDuplicate duplicate) {
    answered = true;
    var _ = context.write(statusByte(HandoffStatus.PASSED));
    context
        .writeAndFlush(new FileDescriptor(duplicate.number()))
        .addListener((ChannelFuture sent) -> {
          duplicate.close();
          answerEnded(sent, HandoffOutcome.PASSED);
        });
  }

  private void answer(ChannelHandlerContext context, HandoffStatus status, HandoffOutcome outcome) {
    answered = true;
    context
        .writeAndFlush(statusByte(status))
        .addListener((ChannelFuture sent) -> answerEnded(sent, outcome));
  }

  private static ByteBuf statusByte(HandoffStatus status) {
    return Unpooled.wrappedBuffer(new byte[] {status.code()});
  }

  private void answerEnded(ChannelFuture sent, HandoffOutcome outcome) {
    try {
      report(sent.isSuccess() ? outcome : outcomeOf(sent.cause()));
    } finally {
      if (requestOver) {
        var _ = sent.channel().close();
      }
    }
  }

  /** For most failures the kernel says that the client has gone; otherwise it refuses to send. */
  private static HandoffOutcome outcomeOf(@Nullable Throwable cause) {
    return cause instanceof Errors.NativeIoException refused
            && refused.expectedErr() != Errors.ERRNO_EPIPE_NEGATIVE
            && refused.expectedErr() != Errors.ERRNO_ECONNRESET_NEGATIVE
        ? HandoffOutcome.FAILED
        : HandoffOutcome.BROKEN;
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    Future<?> timer = deadline;
    if (timer != null) {
      timer.cancel(false);
    }
    slots.leave(slot, peer.uid());
    report(HandoffOutcome.BROKEN);
  }

  private void report(HandoffOutcome outcome) {
    if (!reported) {
      reported = true;
      observer.ended(outcome);
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    // A read that failed: the client has gone. (A write that failed is its listener's.)
    try {
      if (!(cause instanceof IOException)) {
        LOG.error("a hand-off ended by a bug of the server", cause);
        report(HandoffOutcome.FAILED);
      }
    } finally {
      var _ = context.close();
    }
  }
}
