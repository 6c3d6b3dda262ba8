package dev.pagetide.server.handoff;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.FetchedFile;
import dev.pagetide.server.kit.RawHandoff;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.HandoffStatus;
import dev.pagetide.testkit.Promise;
import io.grpc.ManagedChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Hand-offs that race the end of their session while other sessions open and take the numbers that
 * become free.
 *
 * <p>The bug it would show: a number is sent that is another session's file by then. FORBIDDEN: a
 * file whose header bears another range, or whose pages hold another session's bytes; a descriptor
 * that is left, on either side; a status 0 without its descriptor.
 */
@Promise({18, 27})
final class HandoffRaceTest {
  private static final int CLIENTS = 4;

  private final AtomicInteger passed = new AtomicInteger();
  private final AtomicInteger tooLate = new AtomicInteger();

  @Test
  void handoff_racingTheEndOfItsSession_isThatFileOrNone() throws Exception {
    race(2_000);
  }

  @Tag("long")
  @Test
  void handoff_racingTheEndOfItsSessionForLong_isThatFileOrNone() throws Exception {
    race(10_000);
  }

  private void race(int handoffs) throws Exception {
    long seed = System.nanoTime();
    try (TestServer server = TestServer.start()) {
      RawSession first = RawSession.open(server.connect(), 1);
      RawHandoff.fetch(server, first.token()).close();
      first.cancel();
      Awaitility.await().until(() -> server.descriptors("memfd:") == 0);
      // Before the first scrape: its connection would be counted, or not.
      long sockets = server.descriptors("socket:");
      assertThat(server.metric("pagetide_handoffs_total{outcome=\"passed\"}")).isEqualTo(1);
      long others = server.descriptors("") - server.descriptors("socket:");
      long ownBefore = ownSharedFiles();
      try (ExecutorService clients = Executors.newFixedThreadPool(CLIENTS)) {
        List<Callable<Integer>> tasks = new ArrayList<>();
        for (int client = 0; client < CLIENTS; client++) {
          Random random = new Random(seed + client);
          ManagedChannel channel = server.connect();
          tasks.add(() -> {
            for (int i = 0; i < handoffs / CLIENTS; i++) {
              handOffAndEnd(server, channel, random);
            }
            return handoffs / CLIENTS;
          });
        }
        for (Future<Integer> client : clients.invokeAll(tasks)) {
          assertThat(client.get()).as("seed " + seed).isPositive();
        }
      }

      assertThat(passed.get() + tooLate.get()).isEqualTo(handoffs / CLIENTS * CLIENTS);
      assertThat(passed.get()).as("hand-offs that won").isPositive();
      assertThat(tooLate.get()).as("hand-offs that lost").isPositive();
      Awaitility.await().until(() -> server.metric("pagetide_sessions") == 0);
      assertThat(server.descriptors("memfd:")).isZero();
      // At most: an idle connection to /metrics ends when it likes.
      Awaitility.await()
          .untilAsserted(() ->
              assertThat(server.descriptors("")).isLessThanOrEqualTo(others + sockets + CLIENTS));
      assertThat(ownSharedFiles()).isEqualTo(ownBefore);
      assertThat(server.metric("pagetide_handoffs_total{outcome=\"passed\"}"))
          .isEqualTo(passed.get() + 1);
      assertThat(server.metric("pagetide_handoffs_total{outcome=\"unknown_session\"}"))
          .isEqualTo(tooLate.get());
      assertThat(server.metric("pagetide_resident_bytes")).isZero();
      server.stopWithoutStackTrace();
    }
  }

  private void handOffAndEnd(TestServer server, ManagedChannel channel, Random random)
      throws Exception {
    RawSession session = RawSession.open(channel, 1);
    // It takes the numbers that the end of the first one makes free.
    RawSession other = RawSession.start(channel, "", RawSession.PAGE);
    int _ = session.use(0, 1).size();
    String pattern = "the bytes of range " + session.opened().getRangeId();
    session.write(0, ByteString.copyFromUtf8(pattern));
    int spins = random.nextInt(4_000);
    try (RawHandoff connection = RawHandoff.connect(server)) {
      if (random.nextBoolean()) {
        connection.send(session.token() + "\n");
        spin(spins);
        session.cancel();
      } else {
        session.cancel();
        spin(spins * 20);
        connection.send(session.token() + "\n");
      }
      int status = connection.readStatus();
      if (status == HandoffStatus.PASSED.code()) {
        passed.incrementAndGet();
        check(connection, session, pattern);
      } else {
        assertThat(status).isEqualTo(HandoffStatus.UNKNOWN_SESSION.code());
        assertThat(connection.receiveDescriptor()).isEmpty();
        tooLate.incrementAndGet();
      }
    }
    other.awaitOpenedOrEnded();
    other.cancel();
  }

  private static void check(RawHandoff connection, RawSession session, String pattern)
      throws Exception {
    try (FetchedFile file = new FetchedFile(connection.receiveDescriptor().orElseThrow())) {
      assertThat(file.header().rangeId()).isEqualTo(session.opened().getRangeId());
      // Zeros once it is punched.
      assertThat(file.text(0, pattern.length())).isIn(pattern, "\0".repeat(pattern.length()));
    }
  }

  private static void spin(int spins) {
    for (int i = 0; i < spins; i++) {
      Thread.onSpinWait();
    }
  }

  private static long ownSharedFiles() throws Exception {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors.filter(HandoffRaceTest::isSharedFile).count();
    }
  }

  private static boolean isSharedFile(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString().contains("pagetide-range");
    } catch (java.io.IOException e) {
      return false; // closed since it was listed
    }
  }
}
