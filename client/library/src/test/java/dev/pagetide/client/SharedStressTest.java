package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Promise;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Uses and stops of one process against the scans of another: one takes pages by compare-and-set,
 * without a word to the server, while the other scans without pause.
 *
 * <p>Would show a write lost to a late punch, an old byte after a reclaim, or a page that is USED
 * and punched.
 */
@Promise({11, 12, 13, 14})
final class SharedStressTest {
  @Test
  void useAndStop_byMappingWhileTheServerScans_losesNoByte() throws Exception {
    run(1_000_000);
  }

  @Test
  @Tag("long")
  void useAndStop_byMappingWhileTheServerScansForLong_losesNoByte() throws Exception {
    run(20_000_000);
  }

  private static void run(long rounds) throws Exception {
    Long given = Long.getLong("pagetide.seed");
    long seed = given == null ? new Random().nextLong() : given;
    System.out.println("SharedStressTest: -Dpagetide.seed=" + seed);
    try (ServerProcess server = ServerProcess.start("--http", "127.0.0.1:0");
        PagetideClient operator = PagetideClient.connect(server.directory())) {
      Process client = start(server, seed, rounds);
      try (BufferedReader said = client.inputReader(StandardCharsets.UTF_8)) {
        assertThat(said.readLine()).isEqualTo("open");
        long reclaimed = scanWhile(client, operator.shrinker(), new Random(seed));

        assertThat(said.readLine()).isEqualTo("done");
        assertThat(client.waitFor()).isZero();
        assertThat(reclaimed).as("reclaimed pages").isGreaterThan(rounds / 20_000);
      } finally {
        client.destroyForcibly();
      }

      // The server was asked for pages that had no memory, and for nothing else.
      String metrics = server.metrics();
      assertThat(sample(metrics, "grpc_server_requests_received_messages_total", "UseRange"))
          .isLessThanOrEqualTo(sample(metrics, "pagetide_pages_allocated_total", ""));
      for (String rpc : List.of("StopUsingRange", "Read", "Write", "FillZero")) {
        assertThat(sample(metrics, "grpc_server_requests_received_messages_total", rpc))
            .as(rpc)
            .isZero();
      }
    }
  }

  private static Process start(ServerProcess server, long seed, long rounds) throws IOException {
    return new ProcessBuilder(
            System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
            "-XX:+UseSerialGC",
            "-Xmx128m",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            SharedStress.class.getName(),
            server.directory().toString(),
            Long.toString(seed),
            Long.toString(rounds))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  /**
   * How many pages were reclaimed. Of the scans, which follow each other without a pause, one in
   * four takes a page and the others only look: else every use would meet a page that was taken,
   * and there would be no warm path left to race.
   */
  private static long scanWhile(Process client, ShrinkerClient shrinker, Random random) {
    long reclaimed = 0;
    while (client.isAlive()) {
      boolean dryRun = random.nextInt(4) > 0;
      reclaimed +=
          shrinker.scan(1, ShrinkerClient.ALL_RANGES, dryRun).reclaimedPages() * (dryRun ? 0 : 1);
    }
    return reclaimed;
  }

  private static double sample(String metrics, String name, String method) {
    return metrics
        .lines()
        .filter(line -> line.startsWith(name))
        .filter(line -> method.isEmpty() || line.contains("method=\"" + method + "\""))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }
}
