package dev.pagetide.server.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.common.util.concurrent.ListenableFuture;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.v1.UseRangeResponse;
import io.grpc.Status.Code;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * A host with one user, whom nobody told the server about: waits, alerts and reclaim ahead of need
 * begin where that user's memory ends. A range's header and page table are 2 pages.
 */
final class OneUserTest {
  private static final double PAGE = RawSession.PAGE;

  @Test
  void useRange_nobodyElseCanConnect_mayHaveTheWholeAndWaitsForIt() throws Exception {
    try (TestServer server =
        TestServer.start(
            "--max-resident-bytes=144KiB", "--high-watermark=144KiB", "--allocation-wait=60s")) {
      RawSession first = RawSession.open(server.connect(), 24);
      RawSession second = RawSession.open(server.connect(), 24);
      int _ = first.use(0, 24).size();
      int _ = second.use(0, 8).size();
      assertThat(server.metric("pagetide_fullest_uid_committed_ratio"))
          .as("of a limit of its own, which this uid has not")
          .isZero();

      ListenableFuture<UseRangeResponse> use = second.useLater(8, 9);
      await().until(() -> server.metric("pagetide_waiting") == 1);
      first.stop(0, 1);

      assertThat(use.get(30, TimeUnit.SECONDS).getFreshList()).hasSize(1);
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void useRange_othersCouldConnect_mayHaveHalfAndTheGaugesTellThatItIsSpent() throws Exception {
    try (TestServer server = TestServer.start("--socket-mode=0666", "--max-resident-bytes=1MiB")) {
      RawSession session = RawSession.open(server.connect(), 256);
      int _ = session.use(0, 126).size();

      Refusal.of(() -> session.use(126, 127))
          .is(
              Code.RESOURCE_EXHAUSTED,
              "NO_MEMORY",
              "resident 128 of 128 pages, available 0",
              "--max-resident-bytes-per-uid");

      assertThat(server.metric("pagetide_refusals_total{limit=\"uid\"}")).isEqualTo(1);
      assertThat(server.metric("pagetide_fullest_uid_committed_ratio")).isEqualTo(1);
      assertThat(server.metric("pagetide_fullest_uid_resident_ratio")).isEqualTo(1);
      assertThat(server.metric("pagetide_resident_bytes"))
          .isEqualTo(server.metric("pagetide_budget_bytes") / 2);
      session.stop(0, 26);
      await().until(() -> server.metric("pagetide_fullest_uid_committed_ratio") < 0.8);
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void charge_aboveTheSamePartOfTheHalf_isReclaimedAheadOfNeed() throws Exception {
    try (TestServer server =
        TestServer.start(
            "--socket-mode=0666", "--max-resident-bytes=1MiB", "--protect-recent=0ms")) {
      RawSession session = RawSession.open(server.connect(), 256);
      int _ = session.use(0, 118).size();
      session.stop(0, 118);
      assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(120 * PAGE); // 15/16 of 128

      int _ = session.use(118, 119).size();

      await().until(() -> server.metric("pagetide_resident_bytes") == 112 * PAGE); // 14/16
      assertThat(server.metric("pagetide_scans_pages_total{trigger=\"watermark\"}")).isEqualTo(9);
      assertThat(server.metric("pagetide_pages{state=\"used\"}")).isEqualTo(1);
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void openRange_nobodyElseCanConnect_mayHaveAllSessions() throws Exception {
    try (TestServer server = TestServer.start("--max-sessions=2")) {
      var channel = server.connect();
      RawSession first = RawSession.open(channel, 1);
      RawSession second = RawSession.open(channel, 1);

      assertThat(second.map()).isEqualTo(first.map());
      assertThat(server.metric("pagetide_fullest_uid_sessions_ratio")).isZero();
      server.stopWithoutStackTrace();
    }
  }
}
