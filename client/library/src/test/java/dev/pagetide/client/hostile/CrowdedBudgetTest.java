package dev.pagetide.client.hostile;

import static dev.pagetide.client.hostile.SystemCalls.check;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.ServerProcess;
import dev.pagetide.server.page.Seeds;
import dev.pagetide.testkit.Promise;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The budget of a whole server: 32 threads in 4 processes, half of them on mapped ranges, use and
 * stop at random four times the memory that the budget allows.
 *
 * <p>FORBIDDEN: a charge above the budget at any moment; more memory in the files than the budget
 * at any moment, seen with the server stopped; a use that never ends, or ends with anything but its
 * pages or the refusal of memory; a byte that is neither the last one written nor a fresh page's 0.
 */
@Promise(2)
final class CrowdedBudgetTest {
  private static final int PROCESSES = 4;
  private static final long PAGE_BYTES = 4096;
  private static final int BOOKKEEPING_PAGES = PROCESSES * CrowdClient.RANGES * 2;
  private static final long WANTED_PAGES =
      (long) PROCESSES * CrowdClient.RANGES * CrowdClient.PAGES_PER_RANGE;
  private static final long BUDGET_BYTES = (WANTED_PAGES / 4 + BOOKKEEPING_PAGES) * PAGE_BYTES;

  /**
   * Those who wait hold pages that others wait for, so nobody gets on until one of them is refused
   * and stops its pages: most of the test's time would be these waits.
   */
  private static final String ALLOCATION_WAIT = "50ms";

  /** While the server is stopped nobody gets on: most of the time it must not be. */
  private static final int CHARGES_READ_BETWEEN_SAMPLES = 8;

  private long samples;
  private long mostResidentBytes;

  private void run(long steps) throws Exception {
    long seed = Seeds.next();
    String budget = Long.toString(BUDGET_BYTES);
    List<Child> clients = new ArrayList<>();
    try (ServerProcess server =
        ServerProcess.start(
            "--http",
            "127.0.0.1:0",
            "--pressure=off", // this machine's other memory is no part of the test
            "--allocation-wait=" + ALLOCATION_WAIT,
            "--max-resident-bytes=" + budget,
            "--max-resident-bytes-per-uid=" + budget,
            "--max-resident-bytes-per-session=" + budget)) {
      try {
        for (int i = 0; i < PROCESSES; i++) {
          String clientSeed = Long.toString(seed + (long) i * CrowdClient.THREADS);
          clients.add(Child.start(CrowdClient.class, server.directory().toString(), clientSeed));
        }
        for (Child client : clients) {
          assertThat(client.readLine()).isEqualTo("open");
        }

        CrowdClient.Tally random = all(server, clients, CrowdClient.Command.RUN + " " + steps);
        restsExactly(server);
        CrowdClient.Tally hoarded = all(server, clients, CrowdClient.Command.HOARD.name());
        restsExactly(server);
        CrowdClient.Tally released = all(server, clients, CrowdClient.Command.RELEASE.name());
        restsExactly(server);

        System.out.println(
            ("CrowdedBudgetTest: at random %s, hoarding %s, waits %s; %d samples, most memory "
                    + "%d of %d bytes")
                .formatted(
                    random, hoarded, waits(server), samples, mostResidentBytes, BUDGET_BYTES));
        assertThat(random.used()).isPositive();
        assertThat(hoarded.used()).isPositive();
        assertThat(hoarded.refused()).as("all want four times what there is").isPositive();
        assertThat(released).isEqualTo(CrowdClient.Tally.NONE);
        assertThat(server.metric("pagetide_strays_total")).isZero();
        assertThat(server.log()).doesNotContain("\tat ").doesNotContain("ERROR");
      } finally {
        clients.forEach(Child::close);
      }
      await().until(() -> chargedBytes(server) == 0);
    }
  }

  /** Lets all processes do something, and looks at the server's memory as long as they do. */
  private CrowdClient.Tally all(ServerProcess server, List<Child> clients, String command)
      throws IOException {
    List<CompletableFuture<String>> answers =
        clients.stream().map(client -> client.askAsync(command)).toList();
    CompletableFuture<Void> done =
        CompletableFuture.allOf(answers.toArray(CompletableFuture<?>[]::new));
    do {
      for (int i = 0; i < CHARGES_READ_BETWEEN_SAMPLES; i++) {
        assertThat(chargedBytes(server)).isLessThanOrEqualTo(BUDGET_BYTES);
      }
      assertThat(residentBytes(server)).isLessThanOrEqualTo(BUDGET_BYTES);
    } while (!done.isDone());
    CrowdClient.Tally sum = CrowdClient.Tally.NONE;
    for (CompletableFuture<String> answer : answers) {
      sum = sum.plus(CrowdClient.Tally.parse(answer.join()));
    }
    return sum;
  }

  /** The background's reclaim, and the end of what was cancelled, may still be on their way. */
  private void restsExactly(ServerProcess server) throws IOException {
    await()
        .untilAsserted(() ->
            assertThat(chargedBytes(server))
                .isEqualTo(residentBytes(server))
                .isLessThanOrEqualTo(BUDGET_BYTES));
    assertThat(server.metric("pagetide_waiting")).isZero();
  }

  private static String waits(ServerProcess server) throws IOException {
    return server
        .metrics()
        .lines()
        .filter(line -> line.startsWith("pagetide_wait_seconds_count"))
        .map(line -> line.substring(line.indexOf('{')))
        .collect(Collectors.joining(", "));
  }

  private static long chargedBytes(ServerProcess server) throws IOException {
    return (long) server.metric("pagetide_resident_bytes");
  }

  /** What the kernel says that all files of ranges hold at one moment: the server is stopped. */
  private long residentBytes(ServerProcess server) throws IOException {
    check(SystemCalls.kill(server.pid(), SystemCalls.SIGSTOP));
    try {
      awaitStopped(server.pid());
      long bytes = 0;
      Set<Long> seen = new HashSet<>();
      for (Path file : Footprint.sharedFiles(server.pid())) {
        int descriptor = (int) check(SystemCalls.openPath(file));
        try {
          if (seen.add(SystemCalls.inode(descriptor))) {
            bytes += SystemCalls.residentBytes(descriptor);
          }
        } finally {
          SystemCalls.close(descriptor);
        }
      }
      samples++;
      mostResidentBytes = Math.max(mostResidentBytes, bytes);
      return bytes;
    } finally {
      check(SystemCalls.kill(server.pid(), SystemCalls.SIGCONT));
    }
  }

  /** A signal has been sent when kill returns, and is obeyed when each thread comes to it. */
  private static void awaitStopped(long pid) throws IOException {
    boolean stopped;
    do {
      stopped = true;
      try (Stream<Path> tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
        for (Path task : tasks.toList()) {
          stopped &= isStopped(task);
        }
      }
    } while (!stopped);
  }

  private static boolean isStopped(Path task) throws IOException {
    try {
      String stat = Files.readString(task.resolve("stat"));
      return stat.charAt(stat.lastIndexOf(')') + 2) == 'T';
    } catch (NoSuchFileException e) {
      return true; // it has ended
    }
  }

  @Test
  void charge_crowdWantsFourTimesTheBudget_neverExceedsItNorDoesTheMemory() throws Exception {
    run(35);
  }

  @Tag("long")
  @Test
  void charge_crowdWantsFourTimesTheBudgetForLong_neverExceedsItNorDoesTheMemory()
      throws Exception {
    run(2_000);
  }
}
