package dev.pagetide.server.session;

import static dev.pagetide.server.kit.RawSession.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/**
 * Limits: each refusal names the limit and its value, says whether to try again, and changes
 * nothing. A range's header and page table are 2 pages.
 */
@Promise({30, 32})
final class LimitsTest {
  @Test
  void openRange_maxSessionsReached_isRefusedUntilOneEnds() throws Exception {
    try (TestServer server = TestServer.start("--max-sessions=2", "--max-sessions-per-uid=2")) {
      ManagedChannel channel = server.connect();
      RawSession first = RawSession.open(channel, 1);
      RawSession second = RawSession.open(channel, 1);
      double resident = server.metric("pagetide_resident_bytes");

      Refusal refusal = Refusal.of(() -> RawSession.open(channel, 1));

      refusal.is(
          Code.RESOURCE_EXHAUSTED,
          "TOO_MANY_SESSIONS",
          "2 sessions are open, as many as --max-sessions=2 admits; close some, or raise it");
      assertThat(refusal.retryMayHelp()).isTrue();
      assertThat(server.metric("pagetide_sessions")).isEqualTo(2);
      assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(resident);
      assertThat(server.metric("pagetide_clients_cut_off_total{limit=\"max_sessions\"}")).isOne();
      assertThat(second.map()).isEqualTo(".");

      first.cancel();
      Awaitility.await().until(() -> server.metric("pagetide_sessions") == 1);
      assertThat(RawSession.open(channel, 1).map()).isEqualTo(".");
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void openRange_maxSessionsPerUidReached_isRefused() throws Exception {
    try (TestServer server = TestServer.start("--max-sessions=4", "--max-sessions-per-uid=1")) {
      ManagedChannel channel = server.connect();
      RawSession first = RawSession.open(channel, 1);

      Refusal refusal = Refusal.of(() -> RawSession.open(channel, "second", PAGE));

      refusal.is(
          Code.RESOURCE_EXHAUSTED,
          "TOO_MANY_SESSIONS",
          "1 sessions are open, as many as --max-sessions-per-uid=1 admits");
      assertThat(refusal.retryMayHelp()).isTrue();
      assertThat(server.metric("pagetide_sessions")).isEqualTo(1);
      assertThat(server.metric("pagetide_clients_cut_off_total{limit=\"max_sessions_per_uid\"}"))
          .isOne();
      assertThat(server.metric("pagetide_fullest_uid_sessions_ratio")).isOne();

      // The refused one did not keep its name.
      first.cancel();
      Awaitility.await().until(() -> server.metric("pagetide_sessions") == 0);
      assertThat(RawSession.open(channel, "second", PAGE).map()).isEqualTo(".");
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void useRange_maxResidentBytesReached_isRefusedAndChangesNothing() throws Exception {
    // Callers by TCP count as a uid of their own; within one uid its own limit would be met first.
    String[] options = {
      "--listen=127.0.0.1:0",
      "--max-range-bytes=64KiB",
      "--max-resident-bytes=128KiB",
      "--max-resident-bytes-per-uid=128KiB",
      "--max-resident-bytes-per-session=128KiB",
      "--high-watermark=128KiB", // nothing is reclaimed ahead of need
      "--allocation-wait=0ms",
      "--protect-recent=0ms"
    };
    try (TestServer server = TestServer.start(options)) {
      ManagedChannel channel = server.connect();
      RawSession first = RawSession.open(channel, 16);
      RawSession second = RawSession.open(server.connectTcp(), 16);
      int _ = first.use(0, 16).size();
      int _ = second.use(0, 10).size();

      Refusal refusal = Refusal.of(() -> second.use(0, 16));

      refusal.is(
          Code.RESOURCE_EXHAUSTED,
          "NO_MEMORY",
          "no memory for 6 pages: resident 30 of 32 pages, available 0 (2 ranges, the largest hold"
              + " 18, 12); stop using pages, or raise --max-resident-bytes (now 131072 bytes)");
      assertThat(refusal.retryMayHelp()).isTrue();
      assertThat(second.map()).isEqualTo("UUUUUUUUUU......");
      assertThat(first.map()).isEqualTo("UUUUUUUUUUUUUUUU");
      assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(30 * PAGE);

      // Opening needs memory, too.
      int _ = second.use(10, 12).size();
      Refusal.of(() -> RawSession.open(channel, 16))
          .is(Code.RESOURCE_EXHAUSTED, "NO_MEMORY", "resident 32 of 32", "--max-resident-bytes ");
      assertThat(server.metric("pagetide_sessions")).isEqualTo(2);

      // What another session stopped is taken instead of a refusal.
      first.stop(0, 16);
      assertThat(second.use(0, 16)).containsExactly(RawSession.span(12, 16));
      assertThat(first.map()).isEqualTo("aaaaaaaaaaaa....");
      assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(32 * PAGE);
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void useRange_maxResidentBytesPerUidReached_isRefusedAndChangesNothing() throws Exception {
    String[] options = {
      "--max-range-bytes=64KiB",
      "--max-resident-bytes=4MiB",
      "--max-resident-bytes-per-uid=96KiB",
      "--max-resident-bytes-per-session=96KiB"
    };
    try (TestServer server = TestServer.start(options)) {
      ManagedChannel channel = server.connect();
      RawSession first = RawSession.open(channel, 16);
      RawSession second = RawSession.open(channel, 16);
      int _ = first.use(0, 16).size();

      Refusal refusal = Refusal.of(() -> second.use(0, 5));

      refusal.is(
          Code.RESOURCE_EXHAUSTED,
          "NO_MEMORY",
          "no memory for 5 pages: resident 20 of 24 pages, available 0",
          "raise --max-resident-bytes-per-uid (now 98304 bytes)");
      assertThat(refusal.retryMayHelp()).isTrue();
      assertThat(second.map()).isEqualTo("................");
      assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(20 * PAGE);
      assertThat(second.use(0, 4)).hasSize(1);
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void useRange_moreThanTheSessionCanEverHave_isRefusedWithoutAdviceToRetry() throws Exception {
    String[] options = {
      "--max-range-bytes=64KiB",
      "--max-resident-bytes=4MiB",
      "--max-resident-bytes-per-uid=2MiB",
      "--max-resident-bytes-per-session=32KiB"
    };
    try (TestServer server = TestServer.start(options)) {
      RawSession session = RawSession.open(server.connect(), 16);
      int _ = session.use(0, 4).size();

      Refusal hopeless = Refusal.of(() -> session.use(0, 16));
      Refusal full = Refusal.of(() -> session.use(4, 8));

      hopeless.is(
          Code.RESOURCE_EXHAUSTED,
          "NO_MEMORY",
          "no memory for 12 pages: resident 6 of 8 pages, available 0; ask for fewer pages at once,"
              + " or raise --max-resident-bytes-per-session (now 32768 bytes)");
      assertThat(hopeless.retryMayHelp()).isFalse();
      full.is(
          Code.RESOURCE_EXHAUSTED,
          "NO_MEMORY",
          "no memory for 4 pages: resident 6 of 8 pages",
          "stop using pages, or raise --max-resident-bytes-per-session");
      assertThat(full.retryMayHelp()).isTrue();
      assertThat(session.map()).isEqualTo("UUUU............");
      assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(6 * PAGE);

      // Its own AVAILABLE pages are taken instead of a refusal.
      session.stop(0, 4);
      assertThat(session.use(4, 8)).containsExactly(RawSession.span(4, 8));
      assertThat(session.map()).isEqualTo("aa..UUUU........");
      server.stopWithoutStackTrace();
    }
  }
}
