package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Transaction;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What Prometheus sees of transactions and their buffers, from a real scrape. */
final class TransactionMetricsTest {
  private static final int PAGES = 16;
  private static final long RANGE_BYTES = PAGES * 4096L;

  private TestServer server;
  private ManagedChannel channel;
  private RawEndpoint alice;
  private RawEndpoint bob;

  @BeforeEach
  void startServer() throws IOException {
    server = TestServer.start();
    channel = server.connect();
    alice = RawEndpoint.open(channel, "alice", PAGES);
    bob = RawEndpoint.open(channel, "bob", PAGES);
  }

  @AfterEach
  void noStackTraceWasLogged() throws Exception {
    server.closeWithoutStackTrace();
  }

  private static ByteString bytes(int count) {
    return ByteString.copyFrom(new byte[count]);
  }

  private static String transactions(String kind, String outcome) {
    return "pagetide_transactions_total{kind=\"%s\",outcome=\"%s\"}".formatted(kind, outcome);
  }

  @Test
  void scrape_withLiveBuffers_tellsThemByState() {
    long _ = alice.allocate(5000);
    var _ = alice.oneWay("bob", RawEndpoint.bytes(bytes(3000)));
    var _ = bob.take();

    Map<String, Double> now = server.metrics();

    assertThat(now)
        .containsEntry("pagetide_parties", 2.0)
        .containsEntry("pagetide_buffers{state=\"delivered\"}", 2.0)
        .containsEntry("pagetide_buffers_bytes{state=\"delivered\"}", 8000.0)
        .containsEntry("pagetide_buffers{state=\"building\"}", 0.0)
        .containsEntry("pagetide_buffers_one_way_bytes", 3000.0)
        .containsEntry("pagetide_buffers_one_way_limit_bytes", (double) RANGE_BYTES)
        .containsEntry("pagetide_buffers_free_bytes", 2.0 * RANGE_BYTES - 8000)
        .containsEntry("pagetide_buffers_largest_gap_bytes", (double) RANGE_BYTES - 5000);
  }

  @Test
  void scrape_afterTransactions_countsThemByKindAndOutcome() {
    var _ = alice.oneWay("bob", RawEndpoint.bytes(bytes(100)));
    Transaction oneWay = bob.take();
    long replied = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(200))));
    bob.accepted(bob.reply(bob.take().getTransaction(), RawEndpoint.bytes(bytes(300))));
    var _ = alice.replied(replied);
    long refused = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(0))));
    bob.accepted(bob.refuse(bob.take().getTransaction(), "no"));
    var _ = alice.await(refused);
    long cancelled = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(0))));
    var _ = bob.take();
    alice.accepted(alice.cancelCommand(cancelled));
    var _ = alice.await(alice.transact(RawEndpoint.to("nobody", RawEndpoint.bytes(bytes(1)))));
    ExchangeResponse tooLarge = alice.await(alice.allocateLater(RANGE_BYTES + 1, false));
    bob.free(oneWay.getOffset());

    assertThat(tooLarge.hasFailed()).isTrue();
    assertThat(server.metrics())
        .containsEntry(transactions("one_way", "delivered"), 1.0)
        .containsEntry(transactions("two_way", "replied"), 1.0)
        .containsEntry(transactions("two_way", "refused"), 1.0)
        .containsEntry(transactions("two_way", "cancelled"), 1.0)
        .containsEntry(transactions("two_way", "target_died"), 1.0)
        .containsEntry(transactions("two_way", "timed_out"), 0.0)
        .containsEntry("pagetide_transactions_copied_bytes_total", 600.0)
        .containsEntry("pagetide_transaction_delivery_seconds_count{kind=\"one_way\"}", 1.0)
        .containsEntry("pagetide_transaction_delivery_seconds_count{kind=\"two_way\"}", 3.0)
        .containsEntry("pagetide_transaction_reply_seconds_count", 1.0)
        .containsEntry("pagetide_buffers_refused_total{reason=\"no_space\"}", 1.0)
        .containsEntry("pagetide_buffers_refused_total{reason=\"no_one_way_space\"}", 0.0)
        .containsEntry("pagetide_transactions_spam_total", 0.0);
  }

  @Test
  void scrape_afterEverythingEnded_isBackAtNothing() {
    var _ = alice.oneWay("bob", RawEndpoint.bytes(bytes(3000)));
    var _ = bob.take();
    long series = ownSeries(server.metrics());
    alice.session().cancel();
    bob.session().cancel();
    server.awaitNoSessions();

    Map<String, Double> after = server.metrics();

    assertThat(after)
        .containsEntry("pagetide_parties", 0.0)
        .containsEntry("pagetide_buffers{state=\"delivered\"}", 0.0)
        .containsEntry("pagetide_buffers_free_bytes", 0.0)
        .containsEntry("pagetide_buffers_largest_gap_bytes", 0.0)
        .containsEntry("pagetide_buffers_one_way_limit_bytes", 0.0);
    assertThat(ownSeries(after)).isEqualTo(series);
  }

  private static long ownSeries(Map<String, Double> metrics) {
    return metrics.keySet().stream().filter(series -> series.startsWith("pagetide_")).count();
  }
}
