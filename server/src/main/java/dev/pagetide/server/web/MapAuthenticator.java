package dev.pagetide.server.web;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Decides which requests may see the tide map: those of a browser on this host whose user has the
 * key. Immutable.
 *
 * <p>A page of another origin can make a browser send requests here. Three rules prevent that. The
 * host name in the request has to be this host's. Otherwise an attacker's name that now resolves to
 * loopback would be of the same origin as the attacker's page. The browser does not send the cookie
 * with requests from other sites. And the server refuses a request if the browser says that another
 * origin caused it.
 */
final class MapAuthenticator {
  private static final Pattern COOKIES = Pattern.compile("; *");
  private static final Pattern FIELDS = Pattern.compile("&");
  private static final String KEY_FIELD = "key=";

  private final MapKey key;
  private final Set<String> hosts;
  private final String cookieName;

  /**
   * An authenticator for a map at an address.
   *
   * @param address loopback
   */
  MapAuthenticator(MapKey key, InetSocketAddress address) {
    this.key = key;
    int port = address.getPort();
    this.hosts =
        Set.copyOf(
            List.of(
                "127.0.0.1:" + port,
                "localhost:" + port,
                "[::1]:" + port,
                HttpFront.hostAndPort(address)));
    // Browsers keep cookies by host, not by port. Two servers on one host must not overwrite each
    // other's cookie.
    this.cookieName = "pagetide_" + port;
  }

  /** Whether a server shows a map at this address at all. */
  static boolean opensAt(InetSocketAddress address) {
    InetAddress host = address.getAddress();
    return host != null && host.isLoopbackAddress();
  }

  /** Whether the request is for a name of this host. */
  boolean isHere(HttpExchange exchange) {
    List<String> named = exchange.getRequestHeaders().getOrDefault("Host", List.of());
    return named.size() == 1 && hosts.contains(named.getFirst().toLowerCase(Locale.ROOT));
  }

  /** Whether another origin's page caused the request, as far as the browser tells. */
  boolean comesFromElsewhere(HttpExchange exchange) {
    Headers headers = exchange.getRequestHeaders();
    String site = headers.getFirst("Sec-Fetch-Site");
    String origin = headers.getFirst("Origin");
    return (site != null && !site.equals("same-origin") && !site.equals("none"))
        || (origin != null && !origin.equals("http://" + headers.getFirst("Host")));
  }

  /** Whether the request's URL has a key, right or wrong. */
  boolean isGivenKey(HttpExchange exchange) {
    return givenKey(exchange).isPresent();
  }

  /** Whether the request's URL has the right key. */
  boolean bearsKey(HttpExchange exchange) {
    return givenKey(exchange).filter(key::isKey).isPresent();
  }

  private static Optional<String> givenKey(HttpExchange exchange) {
    return FIELDS
        .splitAsStream(Objects.requireNonNullElse(exchange.getRequestURI().getRawQuery(), ""))
        .filter(field -> field.startsWith(KEY_FIELD))
        .map(field -> field.substring(KEY_FIELD.length()))
        .findFirst();
  }

  /** Whether the request has the cookie that the server gave for the key. */
  boolean bearsCookie(HttpExchange exchange) {
    String prefix = cookieName + "=";
    return exchange.getRequestHeaders().getOrDefault("Cookie", List.of()).stream()
        .flatMap(COOKIES::splitAsStream)
        .filter(cookie -> cookie.startsWith(prefix))
        .anyMatch(cookie -> key.isCookie(cookie.substring(prefix.length())));
  }

  /** Sets the cookie that gives access from now on. */
  void giveCookie(HttpExchange exchange) {
    exchange
        .getResponseHeaders()
        .set("Set-Cookie", cookieName + "=" + key.cookie() + "; Path=/; HttpOnly; SameSite=Strict");
  }
}
