package dev.pagetide.client;

import dev.pagetide.shm.HandoffStatus;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.DomainSocketReadMode;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannelOption;
import io.netty.util.ReferenceCountUtil;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * One fetch of the descriptor of a range's file, as {@code proto/SHARED_FILE.md} describes it. It
 * sends the token, and receives a status byte and then the descriptor.
 *
 * <p>It reads the status by itself, in a read of one byte, because a longer read could reach into
 * the message with the descriptor and drop it. Confined to one event loop.
 */
final class Handoff extends ChannelInboundHandlerAdapter {

  /** As long as four hand-offs, so that those before us are done by then. */
  private static final Duration RETRY_DELAY = Duration.ofMillis(10);

  private final String token;
  private final CompletableFuture<FileDescriptor> result;

  private Handoff(String token, CompletableFuture<FileDescriptor> result) {
    this.token = token;
    this.result = result;
  }

  /**
   * Asks for the file of the session that has {@code token}.
   *
   * @return completes with a descriptor that the caller must close, or fails with {@link
   *     PagetideException}, which has a retry delay if asking again may help. Completing it from
   *     outside cancels the fetch; a descriptor that arrives later is closed.
   */
  static CompletableFuture<FileDescriptor> fetch(EventLoopGroup group, Path socket, String token) {
    CompletableFuture<FileDescriptor> result = new CompletableFuture<>();
    ChannelFuture connected =
        new Bootstrap()
            .group(group)
            .channel(EpollDomainSocketChannel.class)
            .option(ChannelOption.AUTO_READ, false)
            // If the server answers before it has read the token, our write fails, but not our
            // read.
            .option(ChannelOption.AUTO_CLOSE, false)
            .option(
                ChannelOption.RECVBUF_ALLOCATOR,
                new FixedRecvByteBufAllocator(1).maxMessagesPerRead(1))
            .handler(new Handoff(token, result))
            .connect(new DomainSocketAddress(socket.toFile()));
    var _ =
        connected.addListener(done -> {
          if (!done.isSuccess()) {
            result.completeExceptionally(notConnected(socket, done.cause()));
          }
        });
    var _ =
        result.whenComplete((file, failure) -> {
          var _ = connected.channel().close();
        });
    return result;
  }

  /** A connect fails also if too many connections wait already, although the server listens. */
  private static PagetideException notConnected(Path socket, Throwable cause) {
    boolean nobodyIsThere =
        cause instanceof FileNotFoundException
            || String.valueOf(cause.getMessage()).contains("Connection refused");
    String message = "cannot connect to " + socket + ": " + cause.getMessage();
    return nobodyIsThere ? failed(message) : tryAgain(message);
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    byte[] line = (token + (char) HandoffStatus.TOKEN_END).getBytes(StandardCharsets.US_ASCII);
    var _ = context.writeAndFlush(Unpooled.wrappedBuffer(line));
    context.read();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (message instanceof FileDescriptor file) {
      if (!result.complete(file)) {
        closeQuietly(file);
      }
      return;
    }
    try {
      if (message instanceof ByteBuf bytes && bytes.isReadable()) {
        take(context, bytes.readByte());
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private void take(ChannelHandlerContext context, byte code) {
    Optional<HandoffStatus> status = HandoffStatus.of(code);
    if (status.filter(s -> s == HandoffStatus.PASSED).isPresent()) {
      context
          .channel()
          .config()
          .setOption(
              UnixChannelOption.DOMAIN_SOCKET_READ_MODE, DomainSocketReadMode.FILE_DESCRIPTORS);
      context.read();
      return;
    }
    String message =
        "the hand-off of the file failed: "
            + status.map(HandoffStatus::name).orElse("status " + code);
    boolean passes =
        status.filter(s -> s == HandoffStatus.BUSY || s == HandoffStatus.FAILED).isPresent();
    result.completeExceptionally(passes ? tryAgain(message) : failed(message));
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    // The server has gone, or it was too busy to read our token. In the second case the session
    // lives.
    result.completeExceptionally(tryAgain("the server ended the hand-off of the file"));
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    result.completeExceptionally(tryAgain("the hand-off of the file broke: " + cause.getMessage()));
  }

  private static PagetideException tryAgain(String message) {
    return new PagetideException(
        StatusCode.UNAVAILABLE, null, message, RETRY_DELAY, false, 0, null);
  }

  private static PagetideException failed(String message) {
    return PagetideException.local(StatusCode.UNAVAILABLE, message);
  }

  static void closeQuietly(FileDescriptor file) {
    try {
      file.close();
    } catch (IOException e) {
      // The descriptor is closed nevertheless: close(2) on Linux never leaves one open.
    }
  }
}
