package dev.pagetide.server.pressure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.JavaProcess.Launch;
import dev.pagetide.testkit.Requires;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A server and a process that eats 50 MiB a second, in one control group that is too small for what
 * both would hold; the client is outside.
 *
 * <p>Nothing here asserts how long anything took: that is printed.
 */
@Tag(Requires.TAG)
final class RealPressureTest {
  private static final long MIB = 1 << 20;
  private static final long LIMIT_BYTES = 384 * MIB;
  private static final long RESERVE_BYTES = 32 * MIB;

  /** Where the server begins to give back: half a reserve before the reserve. */
  private static final long MARK_BYTES = LIMIT_BYTES - RESERVE_BYTES - RESERVE_BYTES / 2;

  private static final int RANGE_PAGES = 8192;
  private static final int RANGES = 5;
  private static final int USED_PAGES = 1024;

  private static final long STEP_BYTES = 5 * MIB;
  private static final int STEP_MILLIS = 100;
  private static final int STEPS = 32;

  private static final String RECLAIMED = "{action=\"reclaimed\",trigger=\"cgroup\"}";

  /** How a JVM tells of a child that signal 9 ended. */
  private static final int KILLED = 128 + 9;

  @Test
  void pressureOn_neighbourEats_availablePagesAreGivenBackAndNobodyIsKilled() throws Exception {
    try (MemoryGroup group = MemoryGroup.create(LIMIT_BYTES);
        Neighbours neighbours = Neighbours.start(group, "on")) {
      TestServer server = neighbours.server;
      RawSession user = neighbours.use(USED_PAGES);
      user.write(0, ByteString.copyFromUtf8("kept"));
      long before = neighbours.available();
      assertThat(before).isEqualTo((long) RANGES * RANGE_PAGES);
      long unused = LIMIT_BYTES - group.use().workingSetBytes();
      TimeBeyondMark watch = TimeBeyondMark.watch(group, MARK_BYTES);

      String answer = neighbours.eat();

      System.out.println("RealPressureTest: " + watch.end());
      assertThat(answer).isEqualTo("ate " + STEPS * STEP_BYTES);
      assertThat(group.kills()).isEqualTo(0);
      assertThat(neighbours.eater.isAlive()).isTrue();
      assertThat(before - neighbours.available())
          .as("what fitted only because it was given back")
          .isGreaterThanOrEqualTo((STEPS * STEP_BYTES - unused) / RawSession.PAGE);
      assertThat(server.metric("pagetide_pages{state=\"used\"}")).isEqualTo(USED_PAGES);
      assertThat(user.read(0, 4).toStringUtf8()).isEqualTo("kept");
      assertThat(decisions(server)).isPositive();
      // The server still gives back while the two figures are read, one after the other.
      await()
          .atMost(Duration.ofSeconds(60))
          .untilAsserted(() ->
              assertThat(server.metric("pagetide_pressure_pages_total" + RECLAIMED))
                  .isEqualTo((double) before - neighbours.available()));
    }
  }

  @Test
  void pressureOff_neighbourEats_itIsKilledAndNothingWasGivenBack() throws Exception {
    try (MemoryGroup group = MemoryGroup.create(LIMIT_BYTES);
        Neighbours neighbours = Neighbours.start(group, "off")) {
      long before = neighbours.available();

      String answer = neighbours.eat();

      assertThat(answer).as("the eater did not come to its end").isEqualTo("null");
      assertThat(neighbours.eater.awaitExit()).isEqualTo(KILLED);
      assertThat(group.kills()).isEqualTo(1);
      assertThat(neighbours.available()).isEqualTo(before);
      assertThat(before).isEqualTo((long) RANGES * RANGE_PAGES);
    }
  }

  private static double decisions(TestServer server) {
    return server.metric("pagetide_pressure_decisions_total" + RECLAIMED);
  }

  /** A server with AVAILABLE pages, and an eater that has not begun, in one group. */
  private static final class Neighbours implements AutoCloseable {
    private final TestServer server;
    private final JavaProcess eater;
    private final ManagedChannel channel;

    private Neighbours(TestServer server, JavaProcess eater) {
      this.server = server;
      this.eater = eater;
      this.channel = server.connect();
    }

    static Neighbours start(MemoryGroup group, String pressure) throws IOException {
      TestServer server =
          TestServer.start(
              new Launch(group.prefix(), List.of("-Xmx64m", "-XX:MaxDirectMemorySize=32m")),
              "--pressure=" + pressure,
              "--memory-reserve=" + RESERVE_BYTES / MIB + "MiB",
              "--max-resident-bytes=200MiB",
              "--max-resident-bytes-per-uid=200MiB",
              "--max-range-bytes=32MiB");
      JavaProcess eater = null;
      boolean complete = false;
      try {
        eater =
            JavaProcess.start(
                new Launch(group.victimPrefix(), List.of("-Xmx16m", "-XX:MaxDirectMemorySize=1g")),
                MemoryEater.class,
                String.valueOf(STEP_BYTES),
                String.valueOf(STEP_MILLIS),
                String.valueOf(STEPS));
        Neighbours neighbours = new Neighbours(server, eater);
        neighbours.fill();
        complete = true;
        return neighbours;
      } finally {
        if (!complete) {
          if (eater != null) {
            eater.close();
          }
          server.close();
        }
      }
    }

    private void fill() throws IOException {
      assertThat(eater.readLine()).isEqualTo("ready");
      List<RawSession> sessions = new ArrayList<>();
      for (int i = 0; i < RANGES; i++) {
        sessions.add(use(RANGE_PAGES));
      }
      sessions.forEach(session -> session.stop(0, RANGE_PAGES));
    }

    RawSession use(int pages) {
      RawSession session = RawSession.open(channel, pages);
      var _ = session.use(0, pages);
      return session;
    }

    /** Has the eater eat, and returns what it says at its end: null if it says nothing. */
    String eat() throws IOException {
      eater.writeLine("eat");
      return String.valueOf(eater.readLine());
    }

    long available() {
      return (long) server.metric("pagetide_pages{state=\"available\"}");
    }

    @Override
    public void close() throws IOException {
      eater.close();
      server.close();
    }
  }
}
