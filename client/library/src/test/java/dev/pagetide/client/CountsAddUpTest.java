package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What the server counts and what honest clients count in their headers add up, in a real scrape:
 * allocated + reused by the server + reused by clients = pages made USED.
 */
final class CountsAddUpTest {
  private static final ClientOptions SHARED = ClientOptions.DEFAULT.withAccess(AccessMode.SHARED);
  private static final ClientOptions REMOTE = ClientOptions.DEFAULT.withAccess(AccessMode.REMOTE);
  private static final int PAGES = 16;

  @SuppressWarnings("NullAway.Init") // started before each test
  private ServerProcess server;

  @BeforeEach
  void start() throws IOException {
    server = ServerProcess.start("--http", "127.0.0.1:0", "--pressure", "dry-run");
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  private Map<String, Double> metrics() throws IOException {
    return server
        .metrics()
        .lines()
        .filter(line -> line.startsWith("pagetide_"))
        .collect(
            Collectors.toMap(
                line -> line.substring(0, line.lastIndexOf(' ')).replace("{source=\"client\"}", ""),
                line -> Double.valueOf(line.substring(line.lastIndexOf(' ') + 1))));
  }

  /** Uses 31 pages: 20 that are FREE, 11 that are AVAILABLE; stops 19. */
  private static void work(PageRange range, PagetideClient operator) {
    assertThat(range.useRange(0, 12).pageCount()).isEqualTo(12);
    range.stopUsingRange(0, 8);
    assertThat(range.useRange(0, 4).isEmpty()).isTrue();
    range.stopUsingRange(0, 4);
    assertThat(operator.shrinker().scan(4, range.rangeId(), false).reclaimedPages()).isEqualTo(4);
    assertThat(range.useRange(0, 8).pageCount()).isEqualTo(4); // 4 of them are AVAILABLE
    range.stopUsingRange(List.of(new PageInterval(0, 3), new PageInterval(5, 9)));
    assertThat(range.useRange(6, 9).isEmpty()).isTrue();
    assertThat(range.useRange(12, PAGES).pageCount()).isEqualTo(4);
  }

  @Test
  void scrape_sharedClientAtRest_usesAreAllocatedAndReused() throws IOException {
    try (PagetideClient client = PagetideClient.connect(server.directory(), SHARED)) {
      try (PageRange range = client.open(OpenOptions.ofSize(64 << 10))) {
        work(range, client);
      }
      await().until(() -> server.metric("pagetide_sessions") == 0);
    }

    Map<String, Double> metrics = metrics();

    Function<String, Double> of = name -> metrics.getOrDefault(name, Double.NaN);
    double used = of.apply("pagetide_client_pages_used_total");
    assertThat(used).isEqualTo(20 + 11);
    assertThat(of.apply("pagetide_pages_allocated_total")).isEqualTo(20);
    assertThat(
            of.apply("pagetide_pages_reused_total")
                + of.apply("pagetide_client_pages_reused_total"))
        .isEqualTo(11);
    assertThat(of.apply("pagetide_client_pages_reused_total")).as("without a call").isPositive();
    assertThat(
            of.apply("pagetide_pages_stopped_total")
                + of.apply("pagetide_client_pages_stopped_total"))
        .isEqualTo(8 + 4 + 7);
    assertThat(of.apply("pagetide_client_uses_failed_total")).isZero();
    assertThat(
            of.apply("pagetide_pages_allocated_total")
                - of.apply("pagetide_pages_reclaimed_total")
                - of.apply("pagetide_pages_closed_total"))
        .as("pages that hold memory")
        .isZero();
    assertThat(of.apply("pagetide_resident_bytes")).isZero();
  }

  @Test
  void scrape_remoteClientAtRest_theServerCountsItAll() throws IOException {
    try (PagetideClient client = PagetideClient.connect(server.directory(), REMOTE);
        PageRange range = client.open(OpenOptions.ofSize(64 << 10))) {
      work(range, client);

      Map<String, Double> metrics = metrics();

      assertThat(metrics)
          .containsEntry("pagetide_pages_allocated_total", 20.0)
          .containsEntry("pagetide_pages_reused_total", 11.0)
          .containsEntry("pagetide_pages_stopped_total", 19.0)
          .containsEntry("pagetide_client_pages_used_total", 0.0)
          .containsEntry("pagetide_client_pages_reused_total", 0.0);
    }
  }
}
