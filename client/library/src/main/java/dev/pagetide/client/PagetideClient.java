package dev.pagetide.client;

import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.netty.NettyChannelBuilder;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * A connection to one Pagetide server.
 *
 * <pre>{@code
 * try (PagetideClient client = PagetideClient.connect();
 *     PageRange range = client.open(OpenOptions.ofSize(4 << 20))) {
 *   try (UsedPages pages = range.use(0, 16)) {
 *     if (!pages.fresh().isEmpty()) { // they hold zeros: new, or taken back meanwhile
 *       pages.write(0, bytes);
 *       pages.filled();
 *     }
 *   } // keeps the bytes for as long as memory is plentiful
 * }
 * }</pre>
 *
 * <p>The first call connects, and fails with UNAVAILABLE if there is no server. Any number of
 * threads may share a client and what it opened. The client does not log. If Netty logs to {@code
 * java.util.logging}, the client silences one warning that every Unix connection causes.
 */
public final class PagetideClient implements AutoCloseable {

  /** Room for one piece of a read and for the page map of a very large range. */
  private static final int LARGEST_MESSAGE_BYTES = 64 << 20;

  private static final long CLOSE_WAIT_SECONDS = 5;

  /*
   * gRPC sets SO_KEEPALIVE on every channel. A Unix socket does not have it, so Netty warns. This
   * field keeps the logger, because java.util.logging forgets the level of a logger that is not
   * reachable.
   */
  private static final Logger NETTY_BOOTSTRAP = Logger.getLogger("io.netty.bootstrap");

  static {
    NETTY_BOOTSTRAP.setLevel(Level.SEVERE);
  }

  private static final String WHY_ATTACHED_IS_REMOTE =
      "only the client that opened a range can map its file";

  private final ManagedChannel channel;
  private final UnaryCalls calls;
  private final SessionOpener sessions;

  /** A client on a channel that is not a Unix socket's. The client owns the channel from now on. */
  PagetideClient(ManagedChannel channel, ClientOptions options) {
    this(channel, null, options);
  }

  private PagetideClient(ManagedChannel channel, @Nullable Path socket, ClientOptions options) {
    this.channel = channel;
    this.calls = new UnaryCalls(channel, options);
    this.sessions = new SessionOpener(channel, socket, options);
  }

  /**
   * The directory in which a client expects the server by default: {@code
   * $XDG_RUNTIME_DIR/pagetide}, or a directory in /tmp.
   */
  public static Path defaultDirectory() {
    return RuntimeDirectory.defaultPath(System.getenv("XDG_RUNTIME_DIR"));
  }

  /**
   * A client of the server in {@link #defaultDirectory}, which must belong to this user or to root.
   *
   * @throws PagetideException UNAVAILABLE if the directory does not exist; PERMISSION_DENIED if it
   *     cannot be trusted, because it is a symbolic link, another user's, or writable by everybody
   */
  public static PagetideClient connect() {
    Path socket = RuntimeDirectory.grpcSocket(defaultDirectory(), true);
    return onSocket(socket, ClientOptions.DEFAULT);
  }

  /**
   * A client of the server in {@code directory}, which may belong to any user.
   *
   * @throws PagetideException UNAVAILABLE if the directory does not exist; PERMISSION_DENIED if it
   *     cannot be trusted, because it is a symbolic link, or writable by everybody
   */
  public static PagetideClient connect(Path directory) {
    return connect(directory, ClientOptions.DEFAULT);
  }

  /** {@link #connect(Path)} with options. */
  public static PagetideClient connect(Path directory, ClientOptions options) {
    boolean ownerMustBeUs = directory.equals(defaultDirectory());
    return onSocket(RuntimeDirectory.grpcSocket(directory, ownerMustBeUs), options);
  }

  private static PagetideClient onSocket(Path socket, ClientOptions options) {
    return new PagetideClient(
        finish(Grpc.newChannelBuilder(target(socket), InsecureChannelCredentials.create())),
        socket,
        options);
  }

  /** The socket as gRPC names it; a path may hold characters that a URI must escape. */
  private static String target(Path socket) {
    try {
      return new URI("unix", null, socket.toString(), null).toASCIIString();
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException(socket + " cannot be named: " + e.getMessage(), e);
    }
  }

  /**
   * A client of a server that listens on this host's loopback ({@code --listen}). The connection is
   * not encrypted, so the client connects to no other host. Over TCP the server refuses the calls
   * of {@link #shrinker}.
   *
   * @param hostAndPort as in {@code 127.0.0.1:7070} or {@code [::1]:7070}
   * @throws IllegalArgumentException if it is not a loopback address and a port
   * @throws IllegalStateException if this thread delivers answers, because the method may have to
   *     look up a name, and no timeout or interrupt of this library ends that
   */
  public static PagetideClient connectTcp(String hostAndPort) {
    return connectTcp(hostAndPort, ClientOptions.DEFAULT);
  }

  /** {@link #connectTcp(String)} with options. */
  public static PagetideClient connectTcp(String hostAndPort, ClientOptions options) {
    Blocking.checkMayWait();
    InetSocketAddress address = loopback(hostAndPort);
    return new PagetideClient(
        finish(NettyChannelBuilder.forAddress(address).usePlaintext()), options);
  }

  private static InetSocketAddress loopback(String hostAndPort) {
    int colon = hostAndPort.lastIndexOf(':');
    try {
      InetAddress host = InetAddress.getByName(hostAndPort.substring(0, Math.max(colon, 0)));
      int port = Integer.parseInt(hostAndPort, colon + 1, hostAndPort.length(), 10);
      if (colon > 0 && host.isLoopbackAddress() && port > 0) {
        return new InetSocketAddress(host, port);
      }
    } catch (UnknownHostException | NumberFormatException e) {
      throw notLoopback(hostAndPort, e);
    }
    throw notLoopback(hostAndPort, null);
  }

  private static IllegalArgumentException notLoopback(
      String hostAndPort, @Nullable Exception cause) {
    return new IllegalArgumentException(
        hostAndPort + " is not HOST:PORT of this host's loopback, such as 127.0.0.1:7070", cause);
  }

  private static ManagedChannel finish(ManagedChannelBuilder<?> builder) {
    return builder
        .disableRetry()
        .directExecutor()
        .maxInboundMessageSize(LARGEST_MESSAGE_BYTES)
        .build();
  }

  /**
   * Opens a session with a range of its own, and waits until the server has granted it.
   *
   * @throws PagetideException SIZE_INVALID, NAME_INVALID, NAME_TAKEN, TOO_MANY_SESSIONS, NO_MEMORY;
   *     RESOURCE_EXHAUSTED, without a reason, if the server grants less than {@code open} asks for
   *     and {@link OpenOptions#takesLess} is not set; UNAVAILABLE if there is no server;
   *     DEADLINE_EXCEEDED after the call timeout
   */
  public PageRange open(OpenOptions open) {
    return Blocking.await(() -> openAsync(open));
  }

  /** {@link #open} without waiting. Cancelling the future ends the session. */
  public CompletableFuture<PageRange> openAsync(OpenOptions open) {
    reconnectSoon();
    return sessions.open(
        open,
        RangeMode.PAGES,
        session -> CompletableFuture.completedFuture(PageRange.of(calls, session)));
  }

  /**
   * Opens a session to which others may send bytes by its name, and waits until they can.
   *
   * <pre>{@code
   * try (Receiver receiver = client.openReceiver(ReceiverOptions.named("store"), transaction -> {
   *   MemorySegment bytes = transaction.data(); // in place, until the handler returns
   *   transaction.reply(Payload.of(store(bytes)));
   * })) {
   *   receiver.ended().toCompletableFuture().join();
   * }
   * }</pre>
   *
   * @param handler called for each transaction; {@link ReceiverOptions#executor} says where
   * @throws PagetideException as {@link #open}; and UNIMPLEMENTED if the server is an older one
   */
  public Receiver openReceiver(ReceiverOptions options, TransactionHandler handler) {
    return Blocking.await(() -> openReceiverAsync(options, handler));
  }

  /** {@link #openReceiver} without waiting. Cancelling the future ends the session. */
  public CompletableFuture<Receiver> openReceiverAsync(
      ReceiverOptions options, TransactionHandler handler) {
    reconnectSoon();
    return sessions.open(
        new OpenOptions(options.name(), options.sizeBytes(), options.takesLess()),
        RangeMode.BUFFERS,
        session -> Receiver.attach(channel, calls, session, options, handler));
  }

  /**
   * Opens a session that sends bytes to others, and gets their replies.
   *
   * <pre>{@code
   * try (Sender sender = client.openSender(SenderOptions.DEFAULT);
   *     StagedBuffer staged = sender.stage(1 << 20)) {
   *   fill(staged.segment()); // in place, in the memory that the server copies from
   *   try (Reply reply = sender.ask(Target.named("store"), 1, Payload.of(staged))) {
   *     use(reply.data());
   *   }
   * }
   * }</pre>
   *
   * @throws PagetideException as {@link #open}; and UNIMPLEMENTED if the server is an older one
   */
  public Sender openSender(SenderOptions options) {
    return Blocking.await(() -> openSenderAsync(options));
  }

  /** {@link #openSender} without waiting. Cancelling the future ends the session. */
  public CompletableFuture<Sender> openSenderAsync(SenderOptions options) {
    reconnectSoon();
    return sessions.open(
        options.open(),
        RangeMode.BUFFERS,
        session -> Sender.attach(channel, calls, session, options));
  }

  /**
   * Works by rpc on a session that another process, or another client, holds open. The range lives
   * as long as its owner keeps it, and {@link PageRange#close} only detaches this client. The owner
   * and this client each remember for themselves the pages whose use ended with an unknown outcome.
   *
   * <p>The result is always {@link RangeAccess#REMOTE}. The server passes the descriptor of a
   * range's file to the process that opened it and to no other, so two processes cannot share one
   * mapping. To move bytes between processes, use {@link #openSender} and {@link #openReceiver}.
   *
   * @throws PagetideException FAILED_PRECONDITION, without a reason, if this client's {@link
   *     ClientOptions#access} is {@link AccessMode#SHARED}, because an attached range cannot be
   *     mapped
   */
  public PageRange attach(SessionTicket ticket) {
    if (calls.options().access() == AccessMode.SHARED) {
      throw PagetideException.local(
          StatusCode.FAILED_PRECONDITION,
          "this client was told to map every range (access=SHARED), and an attached range cannot be"
              + " mapped: "
              + WHY_ATTACHED_IS_REMOTE
              + "; attach with access=AUTO or REMOTE, or open a Sender and a Receiver");
    }
    reconnectSoon();
    return PageRange.attached(calls, ticket, WHY_ATTACHED_IS_REMOTE);
  }

  /** The operator's calls to the same server. */
  public ShrinkerClient shrinker() {
    reconnectSoon();
    return new ShrinkerClient(calls);
  }

  /** Tries again at once to reach a server that has come back: gRPC may wait up to two minutes. */
  private void reconnectSoon() {
    if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
      channel.resetConnectBackoff();
    }
  }

  /**
   * Closes every range, receiver and sender that this client opened, and the connection. Calls in
   * flight fail. This waits at most some seconds until the server has been notified. It does not
   * wait on a thread that delivers answers, and an interrupt, whose flag stays set, ends the wait.
   * The server is notified nevertheless. Calling it again does nothing.
   */
  @Override
  public void close() {
    sessions.endSessions();
    channel.shutdownNow();
    if (!Blocking.isDelivering()) {
      try {
        var _ = channel.awaitTermination(CLOSE_WAIT_SECONDS, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    sessions.close();
  }
}
