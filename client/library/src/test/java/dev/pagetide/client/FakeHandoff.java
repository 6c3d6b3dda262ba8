package dev.pagetide.client;

import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.TransactionServiceGrpc;
import dev.pagetide.v1.UseRangeRequest;
import dev.pagetide.v1.UseRangeResponse;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A server on the two real sockets that opens one session and hands over what a test gives it: for
 * the files and refusals that no real server has to give.
 *
 * <p>Its hand-off answers as soon as a client connects, whatever is sent.
 */
final class FakeHandoff extends PageRangeServiceGrpc.PageRangeServiceImplBase
    implements AutoCloseable {

  /** Takes connections of the hand-off socket and answers nothing. */
  static final int SILENT = -1;

  /** Uses asked for; all of them are refused. */
  final AtomicInteger uses = new AtomicInteger();

  /** Connections of the hand-off socket so far. */
  final AtomicInteger handoffs = new AtomicInteger();

  /** Those of them that have ended. */
  final AtomicInteger endedHandoffs = new AtomicInteger();

  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final Channel handoffSocket;
  private final Server server;
  private final Opened opened;

  /**
   * Listens in {@code directory}.
   *
   * @param promised what to say on opening; the hand-off socket's path is put in
   * @param status the byte that the hand-off socket answers; {@link #SILENT} for none
   * @param file what it hands over where the status is 0
   */
  FakeHandoff(Path directory, Opened promised, int status, Path file) throws IOException {
    Path handoff = directory.resolve("handoff.sock");
    Opened.Builder builder = promised.toBuilder();
    builder.getFileBuilder().setHandoffSocket(handoff.toString());
    opened = builder.build();
    handoffSocket =
        new ServerBootstrap()
            .group(loop)
            .channel(EpollServerDomainSocketChannel.class)
            .childHandler(new Answer(status, file, handoffs, endedHandoffs))
            .bind(new DomainSocketAddress(handoff.toFile()))
            .syncUninterruptibly()
            .channel();
    server =
        NettyServerBuilder.forAddress(
                new DomainSocketAddress(directory.resolve("grpc.sock").toFile()))
            .channelType(EpollServerDomainSocketChannel.class)
            .bossEventLoopGroup(loop)
            .workerEventLoopGroup(loop)
            .addService(this)
            .addService(new SilentExchange())
            .build()
            .start();
  }

  @Override
  public void openRange(OpenRangeRequest request, StreamObserver<OpenRangeResponse> responses) {
    responses.onNext(OpenRangeResponse.newBuilder().setOpened(opened).build());
  }

  /** Takes commands, Attach among them, and answers none. */
  private static final class SilentExchange
      extends TransactionServiceGrpc.TransactionServiceImplBase {
    @Override
    public StreamObserver<ExchangeRequest> exchange(StreamObserver<ExchangeResponse> responses) {
      return new StreamObserver<>() {
        @Override
        public void onNext(ExchangeRequest command) {}

        @Override
        public void onError(Throwable t) {}

        @Override
        public void onCompleted() {}
      };
    }
  }

  @Override
  public void useRange(UseRangeRequest request, StreamObserver<UseRangeResponse> responses) {
    uses.incrementAndGet();
    super.useRange(request, responses);
  }

  @Override
  public void close() throws IOException {
    server.shutdownNow();
    try {
      server.awaitTermination();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException();
    }
    handoffSocket.close().syncUninterruptibly();
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
  }

  /** Writes the status, and the descriptor after a 0, and closes. */
  @Sharable
  private static final class Answer extends ChannelInboundHandlerAdapter {
    private static final int O_RDWR = 2;

    private final int status;
    private final Path file;
    private final AtomicInteger begun;
    private final AtomicInteger ended;

    Answer(int status, Path file, AtomicInteger begun, AtomicInteger ended) {
      this.status = status;
      this.file = file;
      this.begun = begun;
      this.ended = ended;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) throws IOException {
      begun.incrementAndGet();
      if (status == SILENT) {
        return;
      }
      var answered = context.writeAndFlush(Unpooled.wrappedBuffer(new byte[] {(byte) status}));
      if (status == 0) {
        FileDescriptor descriptor = new FileDescriptor(openReadWrite(file));
        answered = context.writeAndFlush(descriptor);
        answered.addListener(sent -> descriptor.close());
      }
      answered.addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      ended.incrementAndGet();
    }

    /** A descriptor's number; {@link FileDescriptor#from} would empty the file. */
    @SuppressWarnings("restricted") // SAFETY: int open(const char *path, int flags, ...)
    private static int openReadWrite(Path file) throws IOException {
      Linker linker = Linker.nativeLinker();
      MethodHandle open =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("open"),
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
              Linker.Option.firstVariadicArg(2));
      int number;
      try (Arena arena = Arena.ofConfined()) {
        number = (int) open.invokeExact(arena.allocateFrom(file.toString()), O_RDWR);
      } catch (Throwable e) {
        throw new AssertionError("open(2) cannot be called", e);
      }
      if (number < 0) {
        throw new IOException("open(\"" + file + "\", O_RDWR) failed");
      }
      return number;
    }
  }
}
