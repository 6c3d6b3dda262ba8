package dev.pagetide.server.web;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Locale;
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
  boolean isHere(WebRequest request) {
    List<String> named = request.headers().getAll(HttpHeaderNames.HOST);
    return named.size() == 1 && hosts.contains(named.getFirst().toLowerCase(Locale.ROOT));
  }

  /** Whether another origin's page caused the request, as far as the browser tells. */
  boolean comesFromElsewhere(WebRequest request) {
    HttpHeaders headers = request.headers();
    String site = headers.get("Sec-Fetch-Site");
    String origin = headers.get(HttpHeaderNames.ORIGIN);
    return (site != null && !site.equals("same-origin") && !site.equals("none"))
        || (origin != null && !origin.equals("http://" + headers.get(HttpHeaderNames.HOST)));
  }

  /** Whether the request's URL has a key, right or wrong. */
  boolean isGivenKey(WebRequest request) {
    return givenKey(request).isPresent();
  }

  /** Whether the request's URL has the right key. */
  boolean bearsKey(WebRequest request) {
    return givenKey(request).filter(key::isKey).isPresent();
  }

  private static Optional<String> givenKey(WebRequest request) {
    return FIELDS
        .splitAsStream(request.rawQuery())
        .filter(field -> field.startsWith(KEY_FIELD))
        .map(field -> field.substring(KEY_FIELD.length()))
        .findFirst();
  }

  /** Whether the request has the cookie that the server gave for the key. */
  boolean bearsCookie(WebRequest request) {
    String prefix = cookieName + "=";
    return request.headers().getAll(HttpHeaderNames.COOKIE).stream()
        .flatMap(COOKIES::splitAsStream)
        .filter(cookie -> cookie.startsWith(prefix))
        .anyMatch(cookie -> key.isCookie(cookie.substring(prefix.length())));
  }

  /** Sets the cookie that gives access from now on. */
  void giveCookie(WebRequest request) {
    request
        .answerHeaders()
        .set(
            HttpHeaderNames.SET_COOKIE,
            cookieName + "=" + key.cookie() + "; Path=/; HttpOnly; SameSite=Strict");
  }
}
