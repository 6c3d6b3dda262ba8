package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A listener whose meters are read when the test says so. */
final class HttpFrontTest {
  private static final String ASKS = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  private static final String PROBES = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

  private final Semaphore mayScrape = new Semaphore(0);
  private final AtomicInteger scrapes = new AtomicInteger();

  /** The number of the scrape that fails. */
  private volatile int failing;

  private final List<RawHttpClient> clients = new ArrayList<>();

  @SuppressWarnings("NullAway.Init")
  private HttpFront front;

  /** Numbers its scrapes. */
  private final class NumberedScrapes implements MeterText {
    @Override
    public String contentType(String accept) {
      return "text/plain";
    }

    @Override
    public String scrape(String contentType) {
      mayScrape.acquireUninterruptibly();
      int number = scrapes.incrementAndGet();
      if (number == failing) {
        throw new IllegalStateException("told to fail");
      }
      return "scrape " + number + "\n";
    }
  }

  @BeforeEach
  void listen() throws IOException {
    PageBudget budget = PageBudget.root("--max-resident-bytes", 1);
    Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE);
    SessionRegistry sessions =
        new SessionRegistry(
            new SessionConfig(1, 1, 1, 1),
            new RangeConfig(PageFileMaker.MEMFD, 4096, 7),
            budget,
            shrinker,
            InstantSource.system());
    front =
        HttpFront.start(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
            Duration.ofMinutes(1),
            new NumberedScrapes(),
            new TideMap(MapKey.random(), 7, 4096, sessions, shrinker, budget, null),
            () -> true,
            (peer, limit, why) -> {});
  }

  @AfterEach
  void close() throws IOException {
    mayScrape.release(1000);
    for (RawHttpClient client : clients) {
      client.close();
    }
    front.close();
  }

  private RawHttpClient connect(String text) throws IOException {
    RawHttpClient client = new RawHttpClient(URI.create(front.url()));
    clients.add(client);
    assertThat(client.send(text)).isTrue();
    return client;
  }

  /** Returns when the listener has read whatever it was sent before. */
  private void passThrough() throws IOException {
    try (RawHttpClient client = new RawHttpClient(URI.create(front.url()))) {
      for (int i = 0; i < 2; i++) {
        assertThat(client.send(PROBES)).isTrue();
        assertThat(client.readUntil("ok\n")).isNotEmpty();
      }
    }
  }

  @Test
  void metrics_askedForDuringAScrape_shareTheNextOne() throws Exception {
    RawHttpClient first = connect(ASKS);
    await().until(mayScrape::hasQueuedThreads);
    List<RawHttpClient> later = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      later.add(connect(ASKS));
    }
    passThrough();

    mayScrape.release(2);

    assertThat(first.readUntil("\r\n\r\nscrape 1\n")).startsWith("HTTP/1.1 200 OK\r\n");
    for (RawHttpClient client : later) {
      assertThat(client.readUntil("\r\n\r\nscrape 2\n")).startsWith("HTTP/1.1 200 OK\r\n");
    }
    assertThat(scrapes).hasValue(2);
  }

  @Test
  void metrics_thatCannotBeRead_areAnsweredSoAndTheNextOnesServed() throws Exception {
    failing = 3;
    mayScrape.release(1000);
    RawHttpClient client = connect("");

    for (String end : List.of("scrape 1\n", "scrape 2\n", "server's log\n", "scrape 4\n")) {
      assertThat(client.send(ASKS)).isTrue();

      assertThat(client.readUntil(end))
          .startsWith(end.startsWith("scrape") ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 500 ");
    }
  }

  /** FORBIDDEN: a client that waits for the server is hung up on because many do. */
  @Test
  void connections_allWaitForTheServer_areAllAnswered() throws Exception {
    for (int i = 0; i < HttpConnections.MAX + 50; i++) {
      // Beyond the most, they wait in the kernel's queue.
      connect(ASKS);
    }
    await().until(mayScrape::hasQueuedThreads);

    mayScrape.release(1000);

    for (RawHttpClient client : clients) {
      assertThat(client.readUntil("\r\n\r\n")).startsWith("HTTP/1.1 200 OK\r\n");
      assertThat(client.readUntil("\n")).startsWith("scrape ");
    }
  }
}
