package dev.pagetide.client.handover;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Plain gRPC that carries the bytes: the producer calls a relay, which calls the consumer, all over
 * Unix sockets with Netty's epoll. The relay passes messages on as they are, in both directions.
 *
 * <p>gRPC is given its best: nothing leaves the event loop, which is one thread a process; no
 * retries; windows of 4 MiB; {@link RawBytes} in the place of protobuf. How messages are put on
 * calls is for the two that extend this to say.
 */
abstract class RelayedGrpc implements HandOver {
  /** HTTP/2's windows, of connections and of streams. */
  private static final int FLOW_CONTROL_BYTES = 4 << 20;

  /** How much a call may hold that is not on the wire yet before it is not ready for more. */
  static final int READY_BYTES = 1 << 20;

  private static final Logger NETTY_BOOTSTRAP = Logger.getLogger("io.netty.bootstrap");

  static {
    // Warns of every Unix connection that it has no SO_KEEPALIVE.
    NETTY_BOOTSTRAP.setLevel(Level.SEVERE);
  }

  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

  @Override
  public final AutoCloseable between(Path directory) throws IOException {
    ManagedChannel onward = channel(directory, "consumer");
    Server server = server(directory, "relay", new Forward(onward));
    return () -> {
      server.shutdownNow();
      onward.shutdownNow();
      var _ = loop.shutdownGracefully();
    };
  }

  @Override
  public final ConsumerEnd consumer(Path directory, Receiver receiver) throws IOException {
    Server server = server(directory, "consumer", new Consume(receiver));
    return _ -> {
      if (server.isShutdown()) {
        throw new IllegalStateException("the consumer's server has ended");
      }
    };
  }

  @Override
  public final ProducerEnd producer(Path directory) {
    ManagedChannel channel = channel(directory, "relay");
    return producer(
        channel,
        () -> {
          channel.shutdownNow();
          var _ = loop.shutdownGracefully();
        });
  }

  /** The producer's end; it runs {@code close} when it is closed. */
  abstract ProducerEnd producer(ManagedChannel relay, Runnable close);

  private static DomainSocketAddress socket(Path directory, String name) {
    return new DomainSocketAddress(directory.resolve(name + ".sock").toFile());
  }

  private ManagedChannel channel(Path directory, String name) {
    return NettyChannelBuilder.forAddress(
            socket(directory, name), InsecureChannelCredentials.create())
        .eventLoopGroup(loop)
        .channelType(EpollDomainSocketChannel.class, DomainSocketAddress.class)
        .overrideAuthority("localhost")
        .directExecutor()
        .disableRetry()
        .flowControlWindow(FLOW_CONTROL_BYTES)
        .maxInboundMessageSize(MAX_SIZE_BYTES)
        .build();
  }

  private Server server(Path directory, String name, ServerCallHandler<RawBytes, RawBytes> handler)
      throws IOException {
    String service = RawBytes.UNARY.getServiceName();
    if (service == null) {
      throw new IllegalStateException(RawBytes.UNARY + " has no service");
    }
    return NettyServerBuilder.forAddress(
            socket(directory, name), InsecureServerCredentials.create())
        .bossEventLoopGroup(loop)
        .workerEventLoopGroup(loop)
        .channelType(EpollServerDomainSocketChannel.class)
        .directExecutor()
        .flowControlWindow(FLOW_CONTROL_BYTES)
        .maxInboundMessageSize(MAX_SIZE_BYTES)
        .addService(
            ServerServiceDefinition.builder(service)
                .addMethod(RawBytes.UNARY, handler)
                .addMethod(RawBytes.STREAM, handler)
                .build())
        .build()
        .start();
  }

  /** Has the receiver read each message as it comes, and sends its answers on the same call. */
  private record Consume(Receiver receiver) implements ServerCallHandler<RawBytes, RawBytes> {
    @Override
    public ServerCall.Listener<RawBytes> startCall(
        ServerCall<RawBytes, RawBytes> call, Metadata headers) {
      boolean isUnary = call.getMethodDescriptor().getType().clientSendsOneMessage();
      call.request(isUnary ? 2 : Integer.MAX_VALUE);
      return new ServerCall.Listener<>() {
        private boolean hasHeaders;

        @Override
        public void onMessage(RawBytes message) {
          long answer = receiver.received(message.segment());
          // A unary call needs a response, if an empty one.
          if (answer != Receiver.NO_ANSWER || isUnary) {
            answer(answer);
          }
        }

        private void answer(long answer) {
          if (!hasHeaders) {
            hasHeaders = true;
            call.sendHeaders(new Metadata());
          }
          RawBytes response = RawBytes.ofLength(answer == Receiver.NO_ANSWER ? 0 : Long.BYTES);
          if (answer != Receiver.NO_ANSWER) {
            response.segment().set(ValueLayout.JAVA_LONG_UNALIGNED, 0, answer);
          }
          call.sendMessage(response);
          if (isUnary) {
            call.close(Status.OK, new Metadata());
          }
        }

        @Override
        public void onHalfClose() {
          if (!isUnary) {
            call.close(Status.OK, new Metadata());
          }
        }
      };
    }
  }

  /** Passes calls on. */
  private record Forward(ManagedChannel onward) implements ServerCallHandler<RawBytes, RawBytes> {
    @Override
    public ServerCall.Listener<RawBytes> startCall(
        ServerCall<RawBytes, RawBytes> call, Metadata headers) {
      CallOptions options = CallOptions.DEFAULT.withOnReadyThreshold(READY_BYTES);
      RelayedCall relayed =
          new RelayedCall(call, onward.newCall(call.getMethodDescriptor(), options));
      return relayed.start(headers);
    }
  }

  /**
   * A call from the producer and the one to the consumer, of which either is sent what the other
   * brings. More of the first is asked for when the second is ready for it. Answers are small and
   * no more than the window, so nobody holds them back.
   *
   * <p>Confined to the relay's one event loop.
   */
  private static final class RelayedCall {
    private final ServerCall<RawBytes, RawBytes> call;
    private final ClientCall<RawBytes, RawBytes> next;

    /** Whether the next message has not been asked for yet. */
    private boolean owesRequest;

    RelayedCall(ServerCall<RawBytes, RawBytes> call, ClientCall<RawBytes, RawBytes> next) {
      this.call = call;
      this.next = next;
    }

    ServerCall.Listener<RawBytes> start(Metadata headers) {
      next.start(new Answering(), headers);
      next.request(Integer.MAX_VALUE);
      call.request(1);
      return new Asking();
    }

    private final class Asking extends ServerCall.Listener<RawBytes> {
      @Override
      public void onMessage(RawBytes message) {
        next.sendMessage(message);
        if (next.isReady()) {
          call.request(1);
        } else {
          owesRequest = true;
        }
      }

      @Override
      public void onHalfClose() {
        next.halfClose();
      }

      @Override
      public void onCancel() {
        next.cancel("the producer has cancelled", null);
      }
    }

    private final class Answering extends ClientCall.Listener<RawBytes> {
      @Override
      public void onReady() {
        if (owesRequest) {
          owesRequest = false;
          call.request(1);
        }
      }

      @Override
      public void onHeaders(Metadata headers) {
        call.sendHeaders(headers);
      }

      @Override
      public void onMessage(RawBytes message) {
        call.sendMessage(message);
      }

      @Override
      public void onClose(Status status, Metadata trailers) {
        call.close(status, trailers);
      }
    }
  }
}
