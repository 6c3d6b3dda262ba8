package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.MappedRange;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.ClientCounts;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import dev.pagetide.v1.RangeSummary;
import io.grpc.ManagedChannel;
import java.time.Duration;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What the operator sees of clients that change their file behind the server's back, and of what
 * clients say themselves.
 */
@Promise({2, 10, 32})
final class TrespassShownTest {
  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer() throws Exception {
    server = TestServer.start("--max-range-bytes=64KiB");
  }

  @AfterEach
  void noStackTraceWasLogged() throws Exception {
    server.closeWithoutStackTrace();
  }

  @Test
  void listRanges_straysAndContradictions_showsBothAndTakesTheStrays() throws Exception {
    ManagedChannel channel = server.connect();
    RawSession session = RawSession.open(channel, "trespasser", 16 * RawSession.PAGE);
    RawSession neighbour = RawSession.open(channel, "neighbour", 16 * RawSession.PAGE);
    assertThat(session.use(0, 4)).hasSize(1);
    assertThat(neighbour.use(0, 4)).hasSize(1);
    double resident = server.metric("pagetide_resident_bytes");
    try (MappedRange client = new MappedRange(server, rangeId("trespasser"))) {
      client.scribble(9);
      client.scribble(10);
      assertThat(client.table().casWord(1, PageWord.USED_WORD, 0)).isTrue();

      RangeSummary shown = summary("trespasser");
      RangeSummary other = summary("neighbour");

      assertThat(shown.getStrays()).isEqualTo(2);
      assertThat(shown.getContradictions()).isEqualTo(1);
      assertThat(shown.getUsedPages()).isEqualTo(3);
      assertThat(shown.getFreePages()).isEqualTo(13);
      assertThat(other.getStrays()).isZero();
      assertThat(other.getContradictions()).isZero();
      assertThat(server.metric("pagetide_strays_total")).isEqualTo(2);
      assertThat(server.metric("pagetide_contradictions")).isEqualTo(1);
      assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(resident);
      assertThat(session.use(9, 11)).hasSize(1);
      assertThat(session.read(9 * RawSession.PAGE, 1).byteAt(0)).isZero();
      assertThat(summary("trespasser").getStrays()).isEqualTo(2);
    }
  }

  @Test
  void listRanges_pagesUsedAndStopped_tellsHowLongAtTheMost() throws Exception {
    RawSession session = RawSession.open(server.connect(), "holder", 16 * RawSession.PAGE);
    assertThat(summary("holder").hasOldestUsed()).isFalse();
    assertThat(session.use(0, 4)).hasSize(1);

    Duration first = oldestUsed("holder");
    Awaitility.await().until(() -> oldestUsed("holder").compareTo(first) > 0);

    assertThat(first).isPositive();
    session.stop(0, 4);
    assertThat(summary("holder").hasOldestUsed()).isFalse();
  }

  private Duration oldestUsed(String name) {
    com.google.protobuf.Duration time = summary(name).getOldestUsed();
    return Duration.ofSeconds(time.getSeconds(), time.getNanos());
  }

  private RangeSummary summary(String name) {
    return server.ranges().stream()
        .filter(range -> range.getName().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private long rangeId(String name) {
    return summary(name).getRangeId();
  }

  @Test
  void scrape_sessionHasEnded_keepsItsStraysAndWhatItsClientCounted() throws Exception {
    ManagedChannel channel = server.connect();
    RawSession session = RawSession.open(channel, "counting", 16 * RawSession.PAGE);
    assertThat(session.use(0, 4)).hasSize(1);
    try (MappedRange client = new MappedRange(server, rangeId("counting"))) {
      client.scribble(9);
      assertThat(server.scanAll().getReclaimed()).isZero();
      assertThat(server.metric("pagetide_strays_total")).isEqualTo(1);
      client.header().writeClientCounts(new ClientCounts(10, 20, 30, 1));
      assertCounted(10, 20, 30, 1);

      client.header().writeClientCounts(new ClientCounts(11, Long.MAX_VALUE, -1, 0));
      assertCounted(11, 20, 30, 1);
      client.header().writeClientCounts(new ClientCounts(12, 0, 31, Long.MIN_VALUE));

      channel.shutdownNow();
      Awaitility.await().until(() -> server.sum("pagetide_sessions_ended_total") == 1);
    }

    assertCounted(12, 20, 31, 1);
    assertThat(server.metric("pagetide_strays_total")).isEqualTo(1);
    assertThat(server.metric("pagetide_contradictions")).isZero();
    // and none of it is among what the server did
    assertThat(server.metric("pagetide_pages_reused_total")).isZero();
    assertThat(server.metric("pagetide_pages_stopped_total")).isZero();
    assertThat(server.metric("pagetide_pages_allocated_total")).isEqualTo(4);
  }

  private void assertCounted(double used, double stopped, double reused, double failed) {
    Map<String, Double> metrics = server.metrics();
    assertThat(metrics)
        .containsEntry("pagetide_client_pages_used_total{source=\"client\"}", used)
        .containsEntry("pagetide_client_pages_stopped_total{source=\"client\"}", stopped)
        .containsEntry("pagetide_client_pages_reused_total{source=\"client\"}", reused)
        .containsEntry("pagetide_client_uses_failed_total{source=\"client\"}", failed);
  }
}
