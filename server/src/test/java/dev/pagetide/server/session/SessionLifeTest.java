package dev.pagetide.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.server.kit.WritingClient;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.SystemCalls;
import dev.pagetide.testkit.WithServer;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The stream is the session, whatever ends it. */
@Promise({1, 25, 27, 31})
@WithServer
final class SessionLifeTest {
  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  @Test
  void openRange_cancelled_givesEverythingBack() {
    ManagedChannel channel = server.connect();
    RawSession session = RawSession.open(channel, 64);
    RawSession other = RawSession.open(channel, 8);
    int _ = session.use(0, 64).size();
    session.stop(0, 10);
    int _ = other.use(0, 8).size();

    session.cancel();

    awaitSessions(1);
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(10 * RawSession.PAGE);
    assertThat(server.metric("pagetide_pages_closed_total")).isEqualTo(64);
    assertThat(server.ranges())
        .singleElement()
        .matches(range -> range.getRangeId() == other.opened().getRangeId());
    assertThat(other.map()).as("a session on the same connection").isEqualTo("UUUUUUUU");
  }

  @Test
  void openRange_connectionClosed_endsAllItsSessionsAndNoOther() {
    ManagedChannel closed = server.connect();
    for (int i = 0; i < 5; i++) {
      int _ = RawSession.open(closed, 16).use(0, 16).size();
    }
    RawSession other = RawSession.open(server.connect(), 1);

    closed.shutdownNow();

    awaitSessions(1);
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(2 * RawSession.PAGE);
    assertThat(other.hasEnded()).isFalse();
  }

  @Test
  void openRange_clientKilledWhileItWrites_givesEverythingBack() throws Exception {
    try (JavaProcess client = JavaProcess.start(WritingClient.class, server.target())) {
      String token = awaitWriting(client);
      assertThat(server.ranges())
          .singleElement()
          .matches(range -> range.getName().equals("writer"))
          .matches(range -> range.getPid() == client.pid())
          .matches(range -> range.getUsedPages() == WritingClient.PAGES);
      assertThat(server.descriptors("memfd:")).isGreaterThan(0);

      client.kill();

      awaitSessions(0);
      assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(0);
      assertThat(server.metric("pagetide_pages_closed_total")).isEqualTo(WritingClient.PAGES);
      assertThat(server.ranges()).isEmpty();
      assertThat(server.descriptors("memfd:")).isEqualTo(0);
      assertThat(server.scrape("").body()).doesNotContain("writer").doesNotContain(token);
      assertThat(server.scanAll().getReclaimed()).isEqualTo(0);
    }
  }

  @Test
  void openRange_clientStopped_keepsItsSession() throws Exception {
    keepsTheSessionOfAClientStoppedFor(Duration.ofSeconds(3));
  }

  @Test
  @Tag("long")
  void openRange_clientStoppedForLong_keepsItsSession() throws Exception {
    keepsTheSessionOfAClientStoppedFor(Duration.ofSeconds(20));
  }

  private void keepsTheSessionOfAClientStoppedFor(Duration pause) throws Exception {
    try (JavaProcess client = JavaProcess.start(WritingClient.class, server.target())) {
      var _ = awaitWriting(client);
      client.signal(SystemCalls.SIGSTOP);

      Awaitility.await()
          .during(pause)
          .atMost(pause.plusSeconds(10))
          .until(() -> server.metric("pagetide_sessions") == 1);
      assertThat(server.ranges())
          .singleElement()
          .matches(range -> range.getUsedPages() == WritingClient.PAGES);

      client.signal(SystemCalls.SIGCONT);
      double calls = writes();
      Awaitility.await().until(() -> writes() > calls);
      assertThat(server.metric("pagetide_sessions")).isEqualTo(1);
      client.kill();
      awaitSessions(0);
    }
  }

  private double writes() {
    return server.metrics().entrySet().stream()
        .filter(e -> e.getKey().startsWith("grpc_server_processing_duration_seconds_count"))
        .filter(e -> e.getKey().contains("method=\"Write\""))
        .mapToDouble(e -> e.getValue())
        .sum();
  }

  @Test
  void openRange_cancelledAtAnyPoint_leavesNothing() throws Exception {
    long before = server.descriptors("");
    Random random = new Random(4711);
    ManagedChannel channel = server.connect();
    RawSession.open(channel, 1).cancel();
    awaitSessions(0);
    for (int round = 0; round < 30; round++) {
      List<RawSession> racing = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        racing.add(RawSession.start(channel, "racer " + i, 16 * RawSession.PAGE));
        if (random.nextBoolean()) {
          racing.get(random.nextInt(racing.size())).cancel();
        }
      }
      if (round % 3 == 0) {
        racing.getLast().awaitOpenedOrEnded();
      }
      if (round % 10 == 9) {
        channel.shutdownNow();
        channel = server.connect();
      }
      racing.forEach(RawSession::cancel);
      racing.forEach(session -> session.end());
      // The names are free again, or the next round would be refused.
      awaitSessions(0);
    }

    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(0);
    assertThat(server.metric("pagetide_sessions_opened_total"))
        .isEqualTo(server.sum("pagetide_sessions_ended_total"));
    assertThat(server.descriptors("memfd:")).isEqualTo(0);
    assertThat(server.ranges()).isEmpty();
    // Connections of the test and the selectors' like are not many.
    assertThat(server.descriptors("")).isLessThan(before + 30);
  }

  @Test
  void anyRpc_sessionEndsWhileItRuns_isAbortedOrUnknownAndNothingElse() throws Exception {
    ByteString data = ByteString.copyFrom(new byte[1 << 20]);
    try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
      for (int round = 0; round < 20; round++) {
        ManagedChannel channel = server.connect();
        RawSession session = RawSession.open(channel, 256);
        int _ = session.use(0, 256).size();
        List<Future<Refusal>> endings = new ArrayList<>();
        endings.add(threads.submit(() -> untilRefused(() -> session.write(0, data))));
        endings.add(threads.submit(() -> untilRefused(() -> session.read(0, 1 << 20))));
        endings.add(threads.submit(() -> untilRefused(() -> session.use(0, 256))));
        endings.add(threads.submit(() -> untilRefused(() -> session.range())));
        int _ = session.range().getUsedPages();

        session.cancel();

        for (Future<Refusal> ending : endings) {
          Refusal refusal = ending.get(30, TimeUnit.SECONDS);
          if (refusal.code() == Code.ABORTED) {
            refusal.is(Code.ABORTED, "SESSION_ENDED", "the session has ended; open a new range");
          } else {
            refusal.is(Code.NOT_FOUND, "UNKNOWN_SESSION");
          }
        }
      }
    }
    awaitSessions(0);
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(0);
  }

  private static Refusal untilRefused(Runnable call) {
    while (true) {
      try {
        call.run();
      } catch (StatusRuntimeException e) {
        return Refusal.of(e);
      }
    }
  }

  @Test
  void openRange_token_isRandomAndShownNowhere() throws Exception {
    ManagedChannel channel = server.connect();
    Set<String> tokens = new HashSet<>();
    Set<Long> rangeIds = new HashSet<>();
    for (int i = 0; i < 200; i++) {
      RawSession session = RawSession.open(channel, 1);
      assertThat(session.token()).matches("[A-Za-z0-9_-]{22}");
      tokens.add(session.token());
      rangeIds.add(session.opened().getRangeId());
      Refusal refusal = Refusal.of(() -> session.use(0, 2));
      assertThat(refusal.message()).doesNotContain(session.token());
    }

    assertThat(tokens).hasSize(200);
    assertThat(rangeIds).hasSize(200);
    String metrics = server.scrape("").body();
    String ranges = server.ranges().toString();
    String log = server.stopWithoutStackTrace();
    for (String token : tokens) {
      assertThat(metrics).doesNotContain(token);
      assertThat(ranges).doesNotContain(token);
      assertThat(log).doesNotContain(token);
    }
    server.startAgain();
  }

  private static String awaitWriting(JavaProcess client) throws Exception {
    String line = client.readLine();
    assertThat(line).startsWith("session ");
    assertThat(client.readLine()).isEqualTo("writing");
    return line == null ? "" : line.substring("session ".length());
  }

  private void awaitSessions(int number) {
    Awaitility.await()
        .untilAsserted(
            () -> assertThat(server.metric("pagetide_sessions")).isEqualTo((double) number));
    // The gauge counts tokens; memory and names follow.
    Awaitility.await()
        .until(() ->
            server.metric("pagetide_sessions_opened_total")
                    - server.sum("pagetide_sessions_ended_total")
                == number);
  }
}
