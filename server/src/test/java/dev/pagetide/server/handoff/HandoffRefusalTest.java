package dev.pagetide.server.handoff;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawHandoff;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.HandoffStatus;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Clients of the hand-off socket that do not keep to the protocol, and too many that do: each gets
 * its status, and none leaves anything behind.
 */
@Promise(32)
final class HandoffRefusalTest {
  private static final int MAX_HANDOFFS = 8;
  private static final int MAX_OF_A_UID = 2;

  /** Fewer than the server has open, and as many as it polls at once: more it may not. */
  private static final int FEW_FILES = 8;

  @AutoClose
  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @SuppressWarnings("NullAway.Init")
  private RawSession session;

  private long sockets;

  @BeforeEach
  void startServer() throws Exception {
    server = TestServer.start("--max-handoffs=" + MAX_HANDOFFS, "--handoff-wait=20s");
    session = RawSession.open(server.connect(), 1);
    sockets = server.descriptors("socket:");
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    if (session == null) { // the set-up failed, and has said why
      if (server != null) {
        server.close();
      }
      return;
    }
    // Its own session is served as before; no connection and no duplicate is left.
    RawHandoff.fetch(server, session.token()).close();
    Awaitility.await().until(() -> server.descriptors("socket:") == sockets);
    assertThat(server.descriptors("memfd:")).isEqualTo(1);
    assertThat(server.stopWithoutStackTrace()).doesNotContain(session.token());
    server.close();
  }

  /** Sends all of a request and asserts what it gets: a status, nothing more, and the end. */
  private void assertRefused(String request, HandoffStatus expected) throws IOException {
    try (RawHandoff connection = RawHandoff.connect(server)) {
      connection.send(request);
      assertThat(connection.readStatus()).as(request).isEqualTo(expected.code());
      assertThat(connection.receiveDescriptor()).isEmpty();
      assertThat(connection.readStatus()).isEqualTo(RawHandoff.END);
    }
  }

  /** Awaits how often each outcome was counted. */
  private void awaitOutcomes(Map<String, Integer> expected) {
    Awaitility.await()
        .untilAsserted(() -> {
          Map<String, Integer> counted = new HashMap<>();
          server
              .metrics()
              .forEach((series, value) -> {
                if (series.startsWith("pagetide_handoffs_total") && value > 0) {
                  counted.put(series.replaceAll(".*\"(.*)\".*", "$1"), value.intValue());
                }
              });
          assertThat(counted).isEqualTo(expected);
        });
  }

  @Test
  void handoff_tokenOfNobody_isUnknown() throws Exception {
    assertRefused("A".repeat(22) + "\n", HandoffStatus.UNKNOWN_SESSION);
    assertRefused(session.token().substring(1) + "\n", HandoffStatus.UNKNOWN_SESSION);
    assertRefused("B".repeat(64) + "\n", HandoffStatus.UNKNOWN_SESSION);
    awaitOutcomes(Map.of("unknown_session", 3));
  }

  @Test
  void handoff_thousandsOfTokensOfNobody_areUnknown() throws Exception {
    for (int i = 0; i < 3_000; i++) {
      assertRefused("%022d\n".formatted(i), HandoffStatus.UNKNOWN_SESSION);
    }
    awaitOutcomes(Map.of("unknown_session", 3_000));
  }

  @Test
  void handoff_sessionEnded_isUnknown() throws Exception {
    RawSession ended = RawSession.open(server.connect(), 1);
    RawHandoff.fetch(server, ended.token()).close();
    ended.cancel();
    Awaitility.await().until(() -> server.metric("pagetide_sessions") == 1);

    assertRefused(ended.token() + "\n", HandoffStatus.UNKNOWN_SESSION);
    sockets++; // its connection
  }

  @Test
  void handoff_bytesAfterTheNewline_isMalformed() throws Exception {
    assertRefused(session.token() + "\n" + session.token() + "\n", HandoffStatus.MALFORMED);
    assertRefused(session.token() + "\n\n", HandoffStatus.MALFORMED);
    assertRefused(session.token() + "\n\0", HandoffStatus.MALFORMED);
    awaitOutcomes(Map.of("malformed", 3));
  }

  @Test
  void handoff_noNewlineIn65Bytes_isMalformed() throws Exception {
    assertRefused("C".repeat(65), HandoffStatus.MALFORMED);
    assertRefused("C".repeat(65) + "\n", HandoffStatus.MALFORMED);
    assertRefused(session.token() + " ".repeat(50) + "\n", HandoffStatus.MALFORMED);
    awaitOutcomes(Map.of("malformed", 3));
  }

  @Test
  void handoff_aMegabyte_isMalformedAndCutOff() throws Exception {
    try (RawHandoff connection = RawHandoff.connect(server)) {
      assertThat(connection.send("D".repeat(1 << 20))).as("all of it was taken").isFalse();
      assertThat(connection.readStatus()).isEqualTo(HandoffStatus.MALFORMED.code());
    }
    awaitOutcomes(Map.of("malformed", 1));
  }

  @Test
  void handoff_notAToken_isMalformed() throws Exception {
    for (String request :
        List.of("\n", " \n", "\0\n", "a b\n", "\u00ff\n", session.token() + "\r\n")) {
      assertRefused(request, HandoffStatus.MALFORMED);
    }
    awaitOutcomes(Map.of("malformed", 6));
  }

  @Test
  void handoff_halfClosedWithinTheToken_isMalformed() throws Exception {
    for (String part : List.of("", "E", session.token())) {
      try (RawHandoff connection = RawHandoff.connect(server)) {
        connection.send(part);
        connection.shutdownOutput();

        assertThat(connection.readStatus()).isEqualTo(HandoffStatus.MALFORMED.code());
        assertThat(connection.readStatus()).isEqualTo(RawHandoff.END);
      }
    }
    awaitOutcomes(Map.of("malformed", 3));
  }

  @Test
  void handoff_clientGoesAtAnyStep_isBroken() throws Exception {
    for (String part : List.of("", "E", session.token())) {
      try (RawHandoff connection = RawHandoff.connect(server)) {
        connection.send(part);
      }
    }
    awaitOutcomes(Map.of("broken", 3));

    try (RawHandoff connection = RawHandoff.connect(server)) {
      connection.send(session.token() + "\n");
    }
    Awaitility.await().until(() -> server.descriptors("socket:") == sockets);
    try (RawHandoff connection = RawHandoff.connect(server)) {
      connection.send(session.token() + "\n");
      assertThat(connection.readStatus()).isEqualTo(HandoffStatus.PASSED.code());
    }
  }

  @Test
  void handoff_silentOrTrickling_isTooLate() throws Exception {
    try (TestServer impatient = TestServer.start("--handoff-wait=500ms");
        RawHandoff silent = RawHandoff.connect(impatient);
        RawHandoff trickling = RawHandoff.connect(impatient)) {
      int[] sent = {0};
      // A byte now and then, so that no time without a byte is long; but fewer than a token has.
      Awaitility.await()
          .pollDelay(Duration.ZERO)
          .pollInterval(Duration.ofMillis(50))
          .until(() -> sent[0]++ == 60 || !trickling.send("F"));

      for (RawHandoff late : List.of(silent, trickling)) {
        assertThat(late.readStatus()).isEqualTo(HandoffStatus.TOO_LATE.code());
        assertThat(late.readStatus()).isEqualTo(RawHandoff.END);
      }
      assertThat(impatient.metric("pagetide_handoffs_total{outcome=\"too_late\"}")).isEqualTo(2);
      RawSession served = RawSession.open(impatient.connect(), 1);
      RawHandoff.fetch(impatient, served.token()).close();
      impatient.stopWithoutStackTrace();
    }
  }

  @Test
  void handoff_moreOfOneUidThanItsQuarter_areBusyUntilOthersGo() throws Exception {
    List<RawHandoff> waiting = new ArrayList<>();
    for (int i = 0; i < MAX_OF_A_UID; i++) {
      waiting.add(RawHandoff.connect(server));
      assertThat(waiting.getLast().send("G")).isTrue();
    }

    // One that reads before it writes, one that has written already, one that writes much.
    try (RawHandoff reader = RawHandoff.connect(server)) {
      assertThat(reader.readStatus()).isEqualTo(HandoffStatus.BUSY.code());
      assertThat(reader.send(session.token() + "\n")).as("it may still send its token").isTrue();
      assertThat(reader.readStatus()).isEqualTo(RawHandoff.END);
    }
    assertRefused(session.token() + "\n", HandoffStatus.BUSY);
    assertRefused("H".repeat(10_000), HandoffStatus.BUSY);
    awaitOutcomes(Map.of("busy", 3));

    for (RawHandoff connection : waiting) {
      connection.close();
    }
    awaitOutcomes(Map.of("busy", 3, "broken", MAX_OF_A_UID));
    RawHandoff.fetch(server, session.token()).close();
  }

  @Test
  void handoff_hundredsOfSilentConnections_areBusyAndGo() throws Exception {
    List<RawHandoff> silent = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      silent.add(RawHandoff.connect(server));
    }
    awaitOutcomes(Map.of("busy", 300 - MAX_OF_A_UID));

    // Those served, and as many as there are slots that may stay to send their token.
    Awaitility.await()
        .until(() -> server.descriptors("socket:") == sockets + MAX_OF_A_UID + MAX_HANDOFFS);
    for (RawHandoff connection : silent.subList(MAX_OF_A_UID, silent.size())) {
      assertThat(connection.readStatus()).isEqualTo(HandoffStatus.BUSY.code());
    }
    for (RawHandoff connection : silent) {
      connection.close();
    }
    awaitOutcomes(Map.of("busy", 300 - MAX_OF_A_UID, "broken", MAX_OF_A_UID));
  }

  @Tag(Requires.TAG)
  @Test
  void handoff_noDescriptorLeftToAccept_isServedLater() throws Exception {
    Requires.command("prlimit", "the server's limit is lowered while it runs");
    RawHandoff.fetch(server, session.token()).close();
    Awaitility.await().until(() -> server.descriptors("socket:") == sockets);
    setMaxOpenFiles(FEW_FILES);
    try (RawHandoff connection = RawHandoff.connect(server)) {
      connection.send(session.token() + "\n");
      setMaxOpenFiles(4096);

      assertThat(connection.readStatus()).isEqualTo(HandoffStatus.PASSED.code());
      RawHandoff.closeDescriptor(connection.receiveDescriptor().orElseThrow());
    }
  }

  private void setMaxOpenFiles(int limit) throws Exception {
    Process prlimit =
        new ProcessBuilder(
                "prlimit", "--pid=" + server.process().pid(), "--nofile=" + limit + ":4096")
            .inheritIO()
            .start();
    assertThat(prlimit.waitFor()).isEqualTo(0);
  }
}
