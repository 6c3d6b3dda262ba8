package dev.pagetide.server.web;

import dev.pagetide.server.session.CutOffObserver;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP listener. It serves {@code /metrics}, {@code /healthz} and {@code /ready} to everybody
 * who can reach it, and the tide map to users who have its key.
 *
 * <p>Every local user can open connections here, so no client can hold anything that another one
 * needs. All connections share one event loop, and no thread waits for a client, except those of
 * the map's few watchers. {@link HttpConnection} bounds the time that a client may take, {@link
 * HttpConnections} the number of connections, and {@link MeterScrapes} the work.
 */
public final class HttpFront implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(HttpFront.class);

  private static final String METRICS = "/metrics";
  private static final String HEALTH = "/healthz";
  private static final String READY = "/ready";

  /** Connections that may wait to be accepted, many at once of a client that misbehaves. */
  private static final int BACKLOG = 1024;

  /**
   * Bytes of one read. So few requests come by one read, and wait in memory while the first is
   * served.
   */
  private static final int READ_BYTES = 1024;

  /**
   * What the kernel keeps of an answer that its reader does not take; it may keep twice as much.
   * Otherwise it would be megabytes of each connection.
   */
  private static final int KERNEL_BYTES = 64 << 10;

  private static final int MAX_LINE_BYTES = 4096;

  /** Browsers send the cookies of all servers of this host, whatever their port. */
  private static final int MAX_HEADER_BYTES = 16 << 10;

  private static final int SECONDS_TO_END = 1;

  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(
          1, new DefaultThreadFactory("pagetide-http", true), NioIoHandler.newFactory());
  private final EventLoop loop = loops.next();
  private final ExecutorService aside =
      Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("pagetide-http-", 0).factory());
  private final ChannelGroup channels = new DefaultChannelGroup(loop, true);
  private final InetSocketAddress address;
  private final NioServerSocketChannel listener;
  private final HttpConnections connections;
  private final CutOffObserver cutOffs;
  private final long waitNanos;
  private final MeterScrapes metrics;
  private final BooleanSupplier ready;
  private final @Nullable TideMap map;
  private final @Nullable Consumer<WebRequest> mapHere;

  private HttpFront(
      ServerSocketChannel socket,
      InetSocketAddress address,
      Duration wait,
      MeterText metrics,
      TideMap map,
      BooleanSupplier ready,
      CutOffObserver cutOffs) {
    this.address = address;
    this.listener = new NioServerSocketChannel(socket);
    this.connections = new HttpConnections(paused -> listener.config().setAutoRead(!paused));
    this.cutOffs = cutOffs;
    this.waitNanos = wait.toNanos();
    this.metrics = new MeterScrapes(metrics, loop, aside);
    this.ready = ready;
    // Beyond loopback others could read the key on the network, so we serve only the meters there.
    this.map = MapAuthenticator.opensAt(address) ? map : null;
    this.mapHere = this.map == null ? null : this.map.at(address, aside);
  }

  /**
   * Starts serving.
   *
   * @param address port 0: any free one
   * @param wait how long a client may take to send a request, and to take its answer
   * @param map served only if the address is loopback
   * @param ready whether sessions can be opened now
   * @param cutOffs is told of clients that reach a limit
   * @throws IOException if the address cannot be bound
   */
  public static HttpFront start(
      InetSocketAddress address,
      Duration wait,
      MeterText metrics,
      TideMap map,
      BooleanSupplier ready,
      CutOffObserver cutOffs)
      throws IOException {
    ServerSocketChannel socket = ServerSocketChannel.open();
    HttpFront front = null;
    boolean listens = false;
    try {
      socket.bind(address, BACKLOG);
      if (!(socket.getLocalAddress() instanceof InetSocketAddress bound)) {
        throw new IOException("the address has no port");
      }
      front = new HttpFront(socket, bound, wait, metrics, map, ready, cutOffs);
      front.listen();
      listens = true;
      return front;
    } finally {
      if (!listens) {
        socket.close();
        if (front != null) {
          front.close();
        }
      }
    }
  }

  private void listen() {
    channels.add(listener);
    new ServerBootstrap()
        .group(loops)
        .channelFactory(() -> listener)
        .childOption(ChannelOption.TCP_NODELAY, true)
        .childOption(ChannelOption.SO_SNDBUF, KERNEL_BYTES)
        .childOption(ChannelOption.AUTO_READ, false)
        // A client may close its sending half and wait for the answer.
        .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
        .childOption(
            ChannelOption.RECVBUF_ALLOCATOR,
            new FixedRecvByteBufAllocator(READ_BYTES).maxMessagesPerRead(1))
        .childHandler(
            new ChannelInitializer<SocketChannel>() {
              @Override
              protected void initChannel(SocketChannel channel) {
                accept(channel);
              }
            })
        .register()
        .syncUninterruptibly();
    listener.pipeline().addLast(new AcceptFailures());
  }

  private void accept(SocketChannel channel) {
    channels.add(channel);
    channel
        .pipeline()
        .addLast(
            new HttpServerCodec(
                new HttpDecoderConfig()
                    .setMaxInitialLineLength(MAX_LINE_BYTES)
                    .setMaxHeaderSize(MAX_HEADER_BYTES)))
        .addLast(new HttpConnection(channel, connections, this::handle, cutOffs, waitNanos));
  }

  /** The URL at which it listens: {@code http://HOST:PORT}. */
  public String url() {
    return "http://" + hostAndPort(address);
  }

  /** The map's URL, with the key; null if there is no map. */
  public @Nullable String mapUrl() {
    return map == null ? null : url() + "/?key=" + map.key().text();
  }

  private void handle(WebRequest request) {
    Consumer<WebRequest> elsewhere = mapHere;
    switch (request.path()) {
      case METRICS -> metrics.handle(request);
      case HEALTH -> probe(request, true);
      case READY -> probe(request, ready.getAsBoolean());
      default -> {
        if (elsewhere != null) {
          elsewhere.accept(request);
        } else {
          answerNotFound(request, "");
        }
      }
    }
  }

  /** Answers a probe of an orchestrator or a load balancer by the status code. */
  private static void probe(WebRequest request, boolean well) {
    request.answerHeaders().set(HttpHeaderNames.CACHE_CONTROL, "no-store");
    if (!request.isRead()) {
      request.answerBadMethod();
    } else if (well) {
      request.answer(HttpResponseStatus.OK.code(), WebRequest.TEXT, "ok\n");
    } else {
      request.answer(
          HttpResponseStatus.SERVICE_UNAVAILABLE.code(),
          WebRequest.TEXT,
          "not ready: the server is starting or stopping\n");
    }
  }

  /**
   * Answers 404, and names the paths that exist.
   *
   * @param more text to add after the paths that need no key
   */
  static void answerNotFound(WebRequest request, String more) {
    request.answer(
        HttpResponseStatus.NOT_FOUND.code(),
        WebRequest.TEXT,
        "only " + METRICS + ", " + HEALTH + ", " + READY + more + " are here\n");
  }

  /** An address in the form of a URL. */
  public static String hostAndPort(InetSocketAddress address) {
    InetAddress host = address.getAddress();
    String name = host == null ? address.getHostString() : host.getHostAddress();
    return (name.contains(":") ? "[" + name + "]" : name) + ":" + address.getPort();
  }

  @Override
  public void close() {
    channels.close().awaitUninterruptibly();
    aside.shutdownNow();
    try {
      // They end by the interrupt, or with the scrape that is being made.
      boolean _ = aside.awaitTermination(SECONDS_TO_END, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    loops.shutdownGracefully(0, SECONDS_TO_END, TimeUnit.SECONDS).syncUninterruptibly();
  }

  /** Comes after Netty's acceptor, which by then has stopped accepting for a second. */
  private static final class AcceptFailures extends ChannelInboundHandlerAdapter {
    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      LOG.warn("no connection to the HTTP listener can be accepted: {}", cause.getMessage());
    }
  }
}
