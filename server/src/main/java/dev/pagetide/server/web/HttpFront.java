package dev.pagetide.server.web;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The HTTP listener. It serves {@code /metrics}, {@code /healthz} and {@code /ready} to everybody
 * who can reach it, and the tide map to users who have its key.
 *
 * <p>Each request has a virtual thread of its own, so a slow reader delays no other. An answer that
 * its reader has not taken within {@link #ANSWER_SECONDS} is given up with its connection, except
 * the events of the map, whose watchers {@link Watchers} bounds.
 */
public final class HttpFront implements AutoCloseable {
  private static final String METRICS = "/metrics";
  private static final String HEALTH = "/healthz";
  private static final String READY = "/ready";
  static final String TEXT = "text/plain; charset=utf-8";

  /** Connections that may wait to be accepted. */
  private static final int BACKLOG = 128;

  /** How long the reader of an answer may take. */
  private static final int ANSWER_SECONDS = 10;

  static {
    /*
     * The JDK's server takes its limits from the properties of the process when it is first used.
     * Connections: more than one process opens with the usual limit of open files. Request time: a client that has not sent its request by then will not send it. Small answers are sent
     * at once.
     */
    setUnlessSet("jdk.httpserver.maxConnections", "1100");
    setUnlessSet("sun.net.httpserver.maxReqTime", "10");
    setUnlessSet("sun.net.httpserver.nodelay", "true");
  }

  private final HttpServer http;
  private final ExecutorService executor =
      Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("pagetide-http-", 0).factory());
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("pagetide-http-timer").factory());
  private final HttpHandler metrics;
  private final BooleanSupplier ready;
  private final @Nullable TideMap map;
  private final @Nullable HttpHandler mapHere;

  private HttpFront(
      HttpServer http, HttpHandler metrics, @Nullable TideMap map, BooleanSupplier ready) {
    this.http = http;
    this.metrics = metrics;
    this.ready = ready;
    // Beyond loopback others could read the key on the network, so we serve only the meters there.
    this.map = MapAuthenticator.opensAt(http.getAddress()) ? map : null;
    this.mapHere = this.map == null ? null : this.map.at(http.getAddress());
  }

  private static void setUnlessSet(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  /**
   * Starts serving.
   *
   * @param address port 0: any free one
   * @param map served only if the address is loopback
   * @param ready whether sessions can be opened now
   * @throws IOException if the address cannot be bound
   */
  public static HttpFront start(
      InetSocketAddress address, HttpHandler metrics, TideMap map, BooleanSupplier ready)
      throws IOException {
    HttpFront front = new HttpFront(HttpServer.create(address, BACKLOG), metrics, map, ready);
    front.http.createContext("/", front::handle);
    front.http.setExecutor(front.executor);
    front.http.start();
    return front;
  }

  /** The URL at which it listens: {@code http://HOST:PORT}. */
  public String url() {
    return "http://" + hostAndPort(http.getAddress());
  }

  /** The map's URL, with the key; null if there is no map. */
  public @Nullable String mapUrl() {
    return map == null ? null : url() + "/?key=" + map.key().text();
  }

  private void handle(HttpExchange exchange) throws IOException {
    if (exchange.getRequestURI().getPath().equals(TideMap.EVENTS)) {
      answer(exchange);
      return;
    }
    // The interrupt of a thread that writes closes the channel.
    Future<?> late =
        timer.schedule(Thread.currentThread()::interrupt, ANSWER_SECONDS, TimeUnit.SECONDS);
    try {
      answer(exchange);
    } finally {
      late.cancel(false);
    }
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      HttpHandler elsewhere = mapHere;
      switch (exchange.getRequestURI().getPath()) {
        case METRICS -> metrics.handle(exchange);
        case HEALTH -> probe(exchange, true);
        case READY -> probe(exchange, ready.getAsBoolean());
        default -> {
          if (elsewhere != null) {
            elsewhere.handle(exchange);
          } else {
            answerNotFound(exchange, "");
          }
        }
      }
    }
  }

  /** Answers a probe of an orchestrator or a load balancer by the status code. */
  private static void probe(HttpExchange exchange, boolean well) throws IOException {
    exchange.getResponseHeaders().set("Cache-Control", "no-store");
    if (!isRead(exchange)) {
      answerBadMethod(exchange);
    } else if (well) {
      answer(exchange, HttpURLConnection.HTTP_OK, TEXT, "ok\n");
    } else {
      answer(
          exchange,
          HttpURLConnection.HTTP_UNAVAILABLE,
          TEXT,
          "not ready: the server is starting or stopping\n");
    }
  }

  /** Whether a request only reads. */
  static boolean isRead(HttpExchange exchange) {
    String method = exchange.getRequestMethod();
    return method.equals("GET") || method.equals("HEAD");
  }

  static void answerBadMethod(HttpExchange exchange) throws IOException {
    exchange.getResponseHeaders().set("Allow", "GET, HEAD");
    answer(exchange, HttpURLConnection.HTTP_BAD_METHOD, TEXT, "only GET and HEAD are served\n");
  }

  /**
   * Answers 404, and names the paths that exist.
   *
   * @param more text to add after the paths that need no key
   */
  static void answerNotFound(HttpExchange exchange, String more) throws IOException {
    answer(
        exchange,
        HttpURLConnection.HTTP_NOT_FOUND,
        TEXT,
        "only " + METRICS + ", " + HEALTH + ", " + READY + more + " are here\n");
  }

  static void answer(HttpExchange exchange, int code, String type, String text) throws IOException {
    answer(exchange, code, type, text.getBytes(StandardCharsets.UTF_8));
  }

  static void answer(HttpExchange exchange, int code, String type, byte[] body) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", type);
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.sendResponseHeaders(code, -1);
    } else {
      exchange.sendResponseHeaders(code, body.length);
      exchange.getResponseBody().write(body);
    }
  }

  /** An address in the form of a URL. */
  public static String hostAndPort(InetSocketAddress address) {
    InetAddress host = address.getAddress();
    String name = host == null ? address.getHostString() : host.getHostAddress();
    return (name.contains(":") ? "[" + name + "]" : name) + ":" + address.getPort();
  }

  @Override
  public void close() {
    http.stop(0);
    executor.shutdownNow();
    timer.shutdownNow();
  }
}
