package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.PageSpan;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who is shown the tide map, and what its visitors cannot do. */
@WithServer
final class TideMapHttpTest {
  private static final int MAX_WATCHERS = 8;

  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @SuppressWarnings("NullAway.Init")
  private URI here;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
    here = URI.create(server.httpUrl());
  }

  private String keyPath() {
    return "/?" + URI.create(server.mapUrl()).getQuery();
  }

  /** The cookie as a browser sends it. */
  private String cookie() throws Exception {
    try (MapVisitor visitor = MapVisitor.get(here, keyPath())) {
      return "Cookie: " + visitor.header("set-cookie").split(";", -1)[0];
    }
  }

  @Test
  void root_withTheKey_givesACookieAndAUrlWithoutIt() throws Exception {
    try (MapVisitor visitor = MapVisitor.get(here, keyPath())) {
      assertThat(visitor.status()).isEqualTo(303);
      assertThat(visitor.header("location")).isEqualTo("/");
      assertThat(visitor.header("set-cookie"))
          .startsWith("pagetide_" + here.getPort() + "=")
          .endsWith("; Path=/; HttpOnly; SameSite=Strict")
          .doesNotContain(URI.create(server.mapUrl()).getQuery().substring("key=".length()));
    }
  }

  @Test
  void root_withoutKeyOrCookie_isRefused() throws Exception {
    String wrong = "/?key=" + MapKey.random().text();

    for (String path : List.of("/", wrong, "/?key=", "/events", "/map/main.js", "/map/nothing")) {
      try (MapVisitor visitor = MapVisitor.get(here, path)) {
        assertThat(visitor.status()).as(path).isEqualTo(403);
        assertThat(visitor.header("set-cookie")).isEmpty();
      }
    }
    String forged = "Cookie: pagetide_" + here.getPort() + "=AAAA";
    try (MapVisitor visitor = MapVisitor.get(here, "/", forged)) {
      assertThat(visitor.status()).isEqualTo(403);
    }
  }

  @Test
  void otherPath_withoutKeyOrCookie_isNotFound() throws Exception {
    for (String path : List.of("/nothing", "/metrics/x", "/healthz/", "/readyness", "/map")) {
      try (MapVisitor visitor = MapVisitor.get(here, path)) {
        assertThat(visitor.status()).as(path).isEqualTo(404);
        assertThat(visitor.header("set-cookie")).isEmpty();
      }
    }
  }

  @Test
  void root_withTheCookieAndAWrongKey_isRefused() throws Exception {
    try (MapVisitor visitor = MapVisitor.get(here, "/?key=" + MapKey.random().text(), cookie())) {
      assertThat(visitor.status()).isEqualTo(403);
    }
  }

  @Test
  void page_withTheCookie_isGuardedByItsHeaders() throws Exception {
    for (String path : List.of("/", "/map/main.js", "/map/style.css", "/map/icon.svg")) {
      try (MapVisitor visitor = MapVisitor.get(here, path, cookie())) {
        assertThat(visitor.status()).as(path).isEqualTo(200);
        assertThat(visitor.header("content-security-policy"))
            .contains("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'")
            .doesNotContain("unsafe", "http:", "https:", "data:", "*");
        assertThat(visitor.headers())
            .containsEntry("x-content-type-options", "nosniff")
            .containsEntry("referrer-policy", "no-referrer")
            .containsEntry("cache-control", "no-store");
      }
    }
  }

  @Test
  void page_everyFile_namesNoOtherOriginAndNoInlineScript() throws Exception {
    try (MapVisitor visitor = MapVisitor.get(here, "/", cookie())) {
      assertThat(visitor.header("content-type")).isEqualTo("text/html; charset=utf-8");
      for (String line = ""; !line.startsWith("</html>"); line = visitor.next("")) {
        assertThat(line).doesNotContain("http:", "https:", "style=", "onclick", "<script>");
      }
    }
  }

  @Test
  void host_thatIsNotHere_isRefused() throws Exception {
    String cookie = cookie();
    int port = here.getPort();

    for (String host :
        List.of("evil.example:" + port, "127.0.0.1", "127.0.0.1:" + (port + 1), "localhost.:1")) {
      try (MapVisitor visitor = new MapVisitor(here, "GET " + keyPath(), "Host: " + host, cookie)) {
        assertThat(visitor.status()).as(host).isEqualTo(421);
        assertThat(visitor.header("set-cookie")).isEmpty();
      }
    }
    for (String host : List.of("127.0.0.1:" + port, "LOCALHOST:" + port, "[::1]:" + port)) {
      try (MapVisitor visitor = new MapVisitor(here, "GET /", "Host: " + host, cookie)) {
        assertThat(visitor.status()).as(host).isEqualTo(200);
      }
    }
  }

  @Test
  void metrics_anyHostAndNoKey_areOpenAsEver() throws Exception {
    try (MapVisitor visitor = new MapVisitor(here, "GET /metrics", "Host: prometheus.example")) {
      assertThat(visitor.status()).isEqualTo(200);
    }
  }

  @Test
  void events_causedByAnotherOrigin_areRefused() throws Exception {
    String cookie = cookie();

    for (String telltale :
        List.of(
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
            "Origin: http://127.0.0.1:1",
            "Origin: null")) {
      try (MapVisitor visitor = MapVisitor.get(here, "/events", cookie, telltale)) {
        assertThat(visitor.status()).as(telltale).isEqualTo(403);
      }
    }
    try (MapVisitor visitor =
        MapVisitor.get(here, "/events", cookie, "Sec-Fetch-Site: same-origin")) {
      assertThat(visitor.status()).isEqualTo(200);
    }
  }

  @Test
  void methods_otherThanGetAndHead_areRefused() throws Exception {
    String cookie = cookie();

    for (String method : List.of("POST", "PUT", "DELETE", "OPTIONS", "PATCH")) {
      try (MapVisitor visitor =
          new MapVisitor(
              here, method + " /", "Host: " + here.getAuthority(), cookie, "Content-Length: 0")) {
        assertThat(visitor.status()).as(method).isEqualTo(405);
        assertThat(visitor.header("allow")).isEqualTo("GET, HEAD");
      }
    }
  }

  @Test
  void events_ofASession_tellItsPages() throws Exception {
    RawSession session =
        RawSession.open(server.connect(), "quoted \"<name>\\", 8 * RawSession.PAGE);
    assertThat(session.use(0, 5)).isNotEmpty();

    try (MapVisitor visitor = MapVisitor.get(here, "/events", cookie())) {
      assertThat(visitor.status()).isEqualTo(200);
      assertThat(visitor.header("content-type")).isEqualTo("text/event-stream");
      assertThat(visitor.next("data: ")).contains("\"pageSize\":4096");
      // 5 pages of kind 2 and 3 of kind 0: 5 << 3 | 2, 3 << 3.
      assertThat(visitor.next("data: "))
          .contains(
              "\"name\":\"quoted \\\"\\u003cname\\u003e\\\\\"",
              "\"pages\":8",
              "\"used\":5",
              "\"runs\":\"Khg\"");
      assertThat(visitor.next("data: ")).as("nothing changed").contains("\"ranges\":[]");

      session.cancel();

      String data = visitor.next("data: ");
      while (!data.contains("\"live\":[]")) {
        data = visitor.next("data: ");
      }
    }
  }

  /** FORBIDDEN: readers that do not read hold up anybody else, or keep their seats for ever. */
  @Test
  void events_notRead_holdUpNobodyAndLoseTheirSeats() throws Exception {
    List<RawSession> busy = new ArrayList<>();
    List<PageSpan> everySecondPage = new ArrayList<>();
    for (int page = 0; page < 1024; page += 2) {
      everySecondPage.add(RawSession.span(page, page + 1));
    }
    for (int i = 0; i < 40; i++) {
      busy.add(RawSession.open(server.connect(), 1024));
    }
    String cookie = cookie();
    List<MapVisitor> slow = new ArrayList<>();
    try {
      for (int i = 0; i < MAX_WATCHERS; i++) {
        slow.add(MapVisitor.get(here, "/events", cookie));
      }

      await()
          .atMost(Duration.ofMinutes(2))
          .untilAsserted(() -> {
            for (RawSession session : busy) {
              var _ = session.use(0, 1024);
              session.stop(everySecondPage);
            }
            assertThat(server.metric("pagetide_sessions")).as("scraped").isEqualTo(40);
            try (MapVisitor reader = MapVisitor.get(here, "/events", cookie)) {
              assertThat(reader.status()).isEqualTo(200);
              assertThat(reader.next("data: ")).contains("instance");
            }
          });
    } finally {
      for (MapVisitor visitor : slow) {
        visitor.close();
      }
    }
  }

  @Test
  void events_moreWatchersThanSeats_areToldToComeAgain() throws Exception {
    String cookie = cookie();
    List<MapVisitor> seated = new ArrayList<>();
    try {
      for (int i = 0; i < MAX_WATCHERS; i++) {
        MapVisitor visitor = MapVisitor.get(here, "/events", cookie);
        seated.add(visitor);
        assertThat(visitor.status()).isEqualTo(200);
      }

      try (MapVisitor late = MapVisitor.get(here, "/events", cookie)) {
        assertThat(late.status()).isEqualTo(503);
        assertThat(late.header("retry-after")).isEqualTo("5");
      }
      assertThat(seated.getFirst().next("data: ")).as("the others stay").isNotEmpty();

      seated.getFirst().close();

      await()
          .untilAsserted(() -> {
            try (MapVisitor late = MapVisitor.get(here, "/events", cookie)) {
              assertThat(late.status()).isEqualTo(200);
            }
          });
    } finally {
      for (MapVisitor visitor : seated) {
        visitor.close();
      }
    }
  }

  @Test
  void server_ending_endsItsWatchers() throws Exception {
    try (MapVisitor visitor = MapVisitor.get(here, "/events", cookie())) {
      assertThat(visitor.next("data: ")).isNotEmpty();

      var _ = server.stopWithoutStackTrace();

      assertThat(visitor.isHungUp()).isTrue();
    }
  }

  @Test
  void key_afterARestart_isTheSame() throws Exception {
    String query = URI.create(server.mapUrl()).getQuery();
    Path file = server.parent().resolve("d").resolve("map.key");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");

    var _ = server.stopWithoutStackTrace();
    server.startAgain();

    assertThat(URI.create(server.mapUrl()).getQuery()).isEqualTo(query);
    assertThat(Files.readString(file)).isEqualTo(query.substring("key=".length()) + "\n");
  }

  @Test
  void map_beyondLoopback_doesNotExist() throws Exception {
    try (TestServer open = TestServer.start("--http=0.0.0.0:0")) {
      URI there = URI.create(open.httpUrl());
      assertThat(open.mapUrl()).isEmpty();

      HttpResponse<String> root = open.http(HttpRequest.newBuilder(), "/");
      HttpResponse<String> events = open.http(HttpRequest.newBuilder(), "/events");

      assertThat(root.statusCode()).isEqualTo(404);
      assertThat(root.body()).isEqualTo("only /metrics, /healthz, /ready are here\n");
      assertThat(events.statusCode()).isEqualTo(404);
      assertThat(open.http(HttpRequest.newBuilder(), "/metrics").statusCode()).isEqualTo(200);
      assertThat(there.getPort()).isPositive();
      var _ = open.stopWithoutStackTrace();
    }
  }
}
