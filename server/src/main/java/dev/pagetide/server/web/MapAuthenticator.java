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
 * Who may see the tide map: a browser on this host whose user was given the key. Immutable.
 *
 * <p>A page of another origin can make a browser send requests here. So the name that it asked for
 * has to be this host's (else a stranger's name that now resolves to loopback would be of the same
 * origin as their page), the cookie is not sent along from other sites, and a request that the
 * browser says another origin caused is refused.
 */
final class MapAuthenticator {
  private static final Pattern COOKIES = Pattern.compile("; *");
  private static final Pattern FIELDS = Pattern.compile("&");
  private static final String KEY_FIELD = "key=";

  private final MapKey key;
  private final Set<String> hosts;
  private final String cookieName;

  /**
   * A door at an address.
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
    // Browsers keep cookies by host, not by port: two servers on one host must not take turns.
    this.cookieName = "pagetide_" + port;
  }

  /** Whether a map is shown at an address at all. */
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

  /** Whether the request's URL bears a key, right or wrong. */
  boolean isGivenKey(HttpExchange exchange) {
    return givenKey(exchange).isPresent();
  }

  /** Whether the request's URL bears the right key. */
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

  /** Whether the request's cookie is the one that the key was changed for. */
  boolean bearsCookie(HttpExchange exchange) {
    String prefix = cookieName + "=";
    return exchange.getRequestHeaders().getOrDefault("Cookie", List.of()).stream()
        .flatMap(COOKIES::splitAsStream)
        .filter(cookie -> cookie.startsWith(prefix))
        .anyMatch(cookie -> key.isCookie(cookie.substring(prefix.length())));
  }

  /** Gives the cookie that opens the door from now on. */
  void giveCookie(HttpExchange exchange) {
    exchange
        .getResponseHeaders()
        .set("Set-Cookie", cookieName + "=" + key.cookie() + "; Path=/; HttpOnly; SameSite=Strict");
  }
}
