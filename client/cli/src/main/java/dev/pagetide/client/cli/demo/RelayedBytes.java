package dev.pagetide.client.cli.demo;

import io.grpc.CallOptions;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.KnownLength;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/**
 * The comparison for Pagetide: plain gRPC that carries the bytes from one process through a relay
 * to another, as unary calls over Unix sockets.
 *
 * <p>gRPC gets the best conditions: Netty's epoll transport, one event loop a process on which all
 * work stays, no retries, windows that hold a whole message, and bytes instead of protobuf.
 */
final class RelayedBytes implements AutoCloseable {

  private static final int WINDOW_BYTES = 4 << 20;
  private static final String SERVICE = "pagetide.demo.Relay";

  private static final MethodDescriptor<byte[], byte[]> METHOD =
      MethodDescriptor.<byte[], byte[]>newBuilder()
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Carry"))
          .setRequestMarshaller(new Bytes())
          .setResponseMarshaller(new Bytes())
          .build();

  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

  /** Answers the bytes of a call; runs on the event loop. */
  interface Receiver {
    byte[] receive(byte[] bytes);
  }

  /** A channel to the process that serves at a socket. */
  ManagedChannel channel(Path socket) {
    return NettyChannelBuilder.forAddress(
            new DomainSocketAddress(socket.toFile()), InsecureChannelCredentials.create())
        .eventLoopGroup(loop)
        .channelType(EpollDomainSocketChannel.class, DomainSocketAddress.class)
        .overrideAuthority("localhost")
        .directExecutor()
        .disableRetry()
        .flowControlWindow(WINDOW_BYTES)
        .maxInboundMessageSize(WINDOW_BYTES)
        .build();
  }

  /** Sends bytes and waits for the answer. */
  static byte[] call(ManagedChannel channel, byte[] bytes) {
    return ClientCalls.blockingUnaryCall(channel, METHOD, CallOptions.DEFAULT, bytes);
  }

  /** Answers calls at a socket. */
  void receive(Path socket, Receiver receiver) {
    serve(
        socket,
        (bytes, answer) -> {
          answer.onNext(receiver.receive(bytes));
          answer.onCompleted();
        });
  }

  /** Passes the calls at a socket on to another, and the answers back. */
  void relay(Path socket, Path onward) {
    ManagedChannel channel = channel(onward);
    serve(
        socket,
        (bytes, answer) ->
            ClientCalls.asyncUnaryCall(
                channel.newCall(METHOD, CallOptions.DEFAULT), bytes, answer));
  }

  private void serve(Path socket, ServerCalls.UnaryMethod<byte[], byte[]> method) {
    try {
      Server _ =
          NettyServerBuilder.forAddress(
                  new DomainSocketAddress(socket.toFile()), InsecureServerCredentials.create())
              .bossEventLoopGroup(loop)
              .workerEventLoopGroup(loop)
              .channelType(EpollServerDomainSocketChannel.class)
              .directExecutor()
              .flowControlWindow(WINDOW_BYTES)
              .maxInboundMessageSize(WINDOW_BYTES)
              .addService(
                  ServerServiceDefinition.builder(SERVICE)
                      .addMethod(METHOD, ServerCalls.asyncUnaryCall(method))
                      .build())
              .build()
              .start();
    } catch (IOException e) {
      throw new DemoFailure("cannot serve at " + socket + ": " + e.getMessage(), e);
    }
  }

  /** Ends the event loop, and with it every connection; the process is about to end, too. */
  @Override
  public void close() {
    var _ = loop.shutdownGracefully();
  }

  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] bytes) {
      return new KnownBytes(bytes);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream instanceof KnownLength
            ? stream.readNBytes(stream.available())
            : stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static final class KnownBytes extends ByteArrayInputStream implements KnownLength {
    KnownBytes(byte[] bytes) {
      super(bytes);
    }
  }
}
