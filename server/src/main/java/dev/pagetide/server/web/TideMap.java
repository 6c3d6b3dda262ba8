package dev.pagetide.server.web;

import com.google.gson.stream.JsonWriter;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.SessionRegistry;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.io.IOException;
import java.io.StringWriter;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tide map: a web page that shows all pages of all ranges live, and changes nothing.
 *
 * <p>{@code /} is the web page, {@code /map/} has its files, and {@code /events} has its data as
 * server-sent events. The map shows what ShrinkerService tells the operator, so a browser needs its
 * key: {@code /?key=KEY} exchanges the key for a cookie, and everything else needs the cookie.
 */
public final class TideMap {
  private static final Logger LOG = LoggerFactory.getLogger(TideMap.class);

  private static final String PAGE_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src"
          + " 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
          + " require-trusted-types-for 'script'; trusted-types 'none'";
  private static final String OF_THE_MAP = " and the tide map";

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

  /**
   * The map as it is served at an address.
   *
   * @param aside runs the watchers, each of which waits for its reader
   */
  Consumer<WebRequest> at(InetSocketAddress address, Executor aside) {
    MapAuthenticator door = new MapAuthenticator(key, address);
    return request -> handle(request, door, aside);
  }

  private void handle(WebRequest request, MapAuthenticator door, Executor aside) {
    secure(request.answerHeaders());
    String path = request.path();
    if (!door.isHere(request)) {
      request.answer(
          HttpResponseStatus.MISDIRECTED_REQUEST.code(),
          WebRequest.TEXT,
          "this server has no such name; use the URL of its ready line\n");
    } else if (!request.isRead()) {
      request.answerBadMethod();
    } else if (!belongsToMap(path)) {
      HttpFront.answerNotFound(request, OF_THE_MAP);
    } else if (path.equals("/") && door.isGivenKey(request)) {
      enter(request, door);
    } else if (!door.bearsCookie(request)
        || (!path.equals("/") && door.comesFromElsewhere(request))) {
      refuseStranger(request);
    } else if (path.equals("/events")) {
      aside.execute(() -> watch(request));
    } else {
      show(request, files.at(path));
    }
  }

  /** Whether a path needs the key. Which paths do is no secret: the documents name them. */
  private static boolean belongsToMap(String path) {
    return path.equals("/") || path.equals("/events") || path.startsWith("/map/");
  }

  private static void secure(HttpHeaders headers) {
    headers.set("Content-Security-Policy", PAGE_POLICY);
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("X-Frame-Options", "DENY");
    headers.set("Referrer-Policy", "no-referrer");
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
    headers.set(HttpHeaderNames.CACHE_CONTROL, "no-store");
  }

  private static void show(WebRequest request, MapFiles.@Nullable Served file) {
    if (file == null) {
      HttpFront.answerNotFound(request, OF_THE_MAP);
    } else {
      request.answer(HttpResponseStatus.OK.code(), file.contentType(), file.text());
    }
  }

  /** Exchanges the key for the cookie, and redirects to a URL without the key. */
  private static void enter(WebRequest request, MapAuthenticator door) {
    if (door.bearsKey(request)) {
      door.giveCookie(request);
      request.answerHeaders().set(HttpHeaderNames.LOCATION, "/");
      request.answerEmpty(HttpResponseStatus.SEE_OTHER.code());
    } else {
      refuseStranger(request);
    }
  }

  private static void refuseStranger(WebRequest request) {
    request.answer(
        HttpResponseStatus.FORBIDDEN.code(),
        WebRequest.TEXT,
        """
        The tide map is for the user who runs this server.
        Open the URL that follows map= in the server's ready line: it has the key.
        """);
  }

  private void watch(WebRequest request) {
    try (Watchers.Subscription subscription = watchers.take()) {
      if (subscription == null) {
        request.answerHeaders().set(HttpHeaderNames.RETRY_AFTER, "5");
        request.answer(
            HttpResponseStatus.SERVICE_UNAVAILABLE.code(),
            WebRequest.TEXT,
            Watchers.MAX + " pages watch already; close one of them\n");
      } else if (request.isHead()) {
        request.answerHeaders().set(HttpHeaderNames.CONTENT_TYPE, EventStream.TYPE);
        request.answerEmpty(HttpResponseStatus.OK.code());
      } else {
        subscription.serve(request.openEvents(), hello());
      }
    } catch (IOException e) {
      LOG.debug("a watcher of the map has hung up", e);
    } catch (InterruptedException e) {
      // The server ends, or another watcher got the subscription. Either way the connection ends.
      Thread.currentThread().interrupt();
    } finally {
      request.abandon();
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
