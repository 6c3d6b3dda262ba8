package dev.pagetide.server.web;

import com.google.gson.stream.JsonWriter;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.SessionRegistry;
import java.io.IOException;
import java.io.StringWriter;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The tide map: a web page that shows all pages of all ranges live, and changes nothing.
 *
 * <p>{@code /} is the web page, {@code /map/} has its files, and {@code /events} has its data as
 * server-sent events. The map shows what ShrinkerService tells the operator, so a browser needs its
 * key: {@code /?key=KEY} exchanges the key for a cookie, and everything else needs the cookie.
 */
public final class TideMap {
  private static final String PAGE_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src"
          + " 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
          + " require-trusted-types-for 'script'; trusted-types 'none'";

  /** Where the events are. */
  static final String EVENTS = "/events";

  private static final String OF_THE_MAP = " and the tide map";
  private static final int MISDIRECTED = 421;
  private static final int UNAVAILABLE = 503;

  private final MapKey key;
  private final long serverInstance;
  private final int pageSize;
  private final Watchers watchers;
  private final MapFiles files = new MapFiles();

  /**
   * A map of a server.
   *
   * @param serverInstance lets a web page that reconnects find out whether it is the same server
   * @param pressure the level of each source of pressure, by its name; null if the server reads no
   *     source
   */
  public TideMap(
      MapKey key,
      long serverInstance,
      int pageSize,
      SessionRegistry sessions,
      Shrinker shrinker,
      PageBudget budget,
      @Nullable Supplier<Map<String, Integer>> pressure) {
    this.key = key;
    this.serverInstance = serverInstance;
    this.pageSize = pageSize;
    this.watchers =
        new Watchers(new MapFeed(sessions, shrinker, budget, pressure), shrinker.clock());
  }

  /** The key to the map. */
  MapKey key() {
    return key;
  }

  /** The map as it is served at an address. */
  HttpHandler at(InetSocketAddress address) {
    MapAuthenticator door = new MapAuthenticator(key, address);
    return exchange -> handle(exchange, door);
  }

  private void handle(HttpExchange exchange, MapAuthenticator door) throws IOException {
    secure(exchange.getResponseHeaders());
    String path = exchange.getRequestURI().getPath();
    if (!door.isHere(exchange)) {
      refuse(
          exchange, MISDIRECTED, "this server has no such name; use the URL of its ready line\n");
    } else if (!HttpFront.isRead(exchange)) {
      HttpFront.answerBadMethod(exchange);
    } else if (!belongsToMap(path)) {
      HttpFront.answerNotFound(exchange, OF_THE_MAP);
    } else if (path.equals("/") && door.isGivenKey(exchange)) {
      enter(exchange, door);
    } else if (!door.bearsCookie(exchange)
        || (!path.equals("/") && door.comesFromElsewhere(exchange))) {
      refuseStranger(exchange);
    } else if (path.equals(EVENTS)) {
      watch(exchange);
    } else {
      show(exchange, files.at(path));
    }
  }

  /** Whether a path needs the key. Which paths do is no secret: the documents name them. */
  private static boolean belongsToMap(String path) {
    return path.equals("/") || path.equals(EVENTS) || path.startsWith("/map/");
  }

  private static void secure(Headers headers) {
    headers.set("Content-Security-Policy", PAGE_POLICY);
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("X-Frame-Options", "DENY");
    headers.set("Referrer-Policy", "no-referrer");
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
    headers.set("Cache-Control", "no-store");
  }

  private static void show(HttpExchange exchange, MapFiles.@Nullable Served file)
      throws IOException {
    if (file == null) {
      HttpFront.answerNotFound(exchange, OF_THE_MAP);
    } else {
      HttpFront.answer(exchange, HttpURLConnection.HTTP_OK, file.contentType(), file.text());
    }
  }

  /** Exchanges the key for the cookie, and redirects to a URL without the key. */
  private static void enter(HttpExchange exchange, MapAuthenticator door) throws IOException {
    if (door.bearsKey(exchange)) {
      door.giveCookie(exchange);
      exchange.getResponseHeaders().set("Location", "/");
      exchange.sendResponseHeaders(HttpURLConnection.HTTP_SEE_OTHER, -1);
    } else {
      refuseStranger(exchange);
    }
  }

  private static void refuseStranger(HttpExchange exchange) throws IOException {
    refuse(
        exchange,
        HttpURLConnection.HTTP_FORBIDDEN,
        """
        The tide map is for the user who runs this server.
        Open the URL that follows map= in the server's ready line: it has the key.
        """);
  }

  private static void refuse(HttpExchange exchange, int code, String text) throws IOException {
    HttpFront.answer(exchange, code, HttpFront.TEXT, text);
  }

  private void watch(HttpExchange exchange) throws IOException {
    try (Watchers.Subscription subscription = watchers.take()) {
      if (subscription == null) {
        exchange.getResponseHeaders().set("Retry-After", "5");
        refuse(exchange, UNAVAILABLE, Watchers.MAX + " pages watch already; close one of them\n");
        return;
      }
      exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
      boolean head = exchange.getRequestMethod().equals("HEAD");
      exchange.sendResponseHeaders(HttpURLConnection.HTTP_OK, head ? -1 : 0);
      if (!head) {
        subscription.serve(exchange.getResponseBody(), hello());
      }
    } catch (InterruptedException e) {
      // The server ends, or another watcher got the subscription. Either way the connection ends.
      Thread.currentThread().interrupt();
    }
  }

  private String hello() throws IOException {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      json.beginObject()
          .name("instance")
          .value(Long.toHexString(serverInstance))
          .name("pageSize")
          .value(pageSize)
          .name("maxShown")
          .value(MapFeed.MAX_SHOWN)
          .endObject();
    }
    return text.toString();
  }
}
