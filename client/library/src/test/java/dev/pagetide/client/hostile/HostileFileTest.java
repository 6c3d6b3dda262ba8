package dev.pagetide.client.hostile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.ShrinkerClient;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * What a process can do to the file it was handed. In every test an honest client uses, stops and
 * uses again beside it while the shrinker scans; afterwards nothing of the hostile one is left.
 */
@Promise({18, 25, 31, 32})
final class HostileFileTest {
  private static final int HOSTILE_PAGES = (int) (HostileClient.SIZE_BYTES / 4096);
  private static final int BOOKKEEPING_PAGES = 2;
  private static final int FEWEST_ROUNDS = 5;
  private static final int MOST_ROUNDS = 1_000_000;
  private static final String NOBODY = "65534";

  @AutoClose
  @SuppressWarnings("NullAway.Init") // started before all tests
  private static ServerProcess server;

  @AutoClose
  @SuppressWarnings("NullAway.Init") // connected before all tests
  private static PagetideClient client;

  @SuppressWarnings("NullAway.Init") // opened before all tests
  private static HonestClient honest;

  @SuppressWarnings("NullAway.Init") // taken before each test
  private Footprint serverBefore;

  @SuppressWarnings("NullAway.Init") // taken before each test
  private Footprint clientBefore;

  private double residentBefore;

  @AutoClose
  @SuppressWarnings("NullAway.Init") // started before each test
  private Child hostile;

  private long hostileRange;

  @BeforeAll
  static void startServer() throws IOException {
    server = ServerProcess.start("--http", "127.0.0.1:0", "--max-resident-bytes", "64MiB");
    client = PagetideClient.connect(server.directory());
    honest = new HonestClient(client);
    // Whatever either process opens once and keeps, it has opened by now.
    try (HonestClient other = new HonestClient(client)) {
      other.check();
      double _ = server.metric("pagetide_sessions");
    }
    await().until(() -> server.metric("pagetide_sessions") == 1);
  }

  @AfterAll
  static void noStackTraceWasLogged() throws Exception {
    client.close();
    server.terminate();
    assertThat(server.awaitExit()).isZero();
    String log = server.log();
    server.close();
    assertThat(log).doesNotContain("\tat ").doesNotContain("ERROR");
  }

  @BeforeEach
  void startHostile() throws IOException {
    scan(Long.MAX_VALUE);
    serverBefore = Footprint.of(server.pid());
    clientBefore = Footprint.ofThisProcess();
    residentBefore = server.metric("pagetide_resident_bytes");
    hostile = Child.start(HostileClient.class, server.directory().toString());
    hostileRange = Long.parseLong(hostile.readLine().substring("range ".length()));
  }

  /** After it was killed: its memory, its descriptors, its mappings. */
  @AfterEach
  void everythingIsBack() throws Exception {
    hostile.close();
    await().until(() -> server.metric("pagetide_sessions") == 1);
    honest.reuse();
    honest.check();
    scan(Long.MAX_VALUE);
    await()
        .untilAsserted(
            () -> assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(residentBefore));
    await().untilAsserted(() -> Footprint.of(server.pid()).isNoMoreThan(serverBefore));
    await().untilAsserted(() -> Footprint.ofThisProcess().isNoMoreThan(clientBefore));
    assertThat(scan(Long.MAX_VALUE)).isZero();
  }

  private static long scan(long pages) {
    return client.shrinker().scan(pages, ShrinkerClient.ALL_RANGES, false).reclaimedPages();
  }

  /** The command's answer; until it comes the honest client works, and the shrinker does. */
  private String underLoad(String command) throws IOException {
    CompletableFuture<String> answer = hostile.askAsync(command);
    for (int round = 0;
        round < FEWEST_ROUNDS || (round < MOST_ROUNDS && !answer.isDone());
        round++) {
      honest.reuse();
      scan(64);
      honest.check();
      hostileIsWithinItsRange();
    }
    return answer.join();
  }

  private void hostileIsWithinItsRange() throws IOException {
    RangeStatus status = HonestClient.status(client, hostileRange);
    assertThat(status.freePages() + status.availablePages() + status.usedPages())
        .isEqualTo(HOSTILE_PAGES);
    assertThat(server.metric("pagetide_resident_bytes"))
        .isLessThanOrEqualTo(
            residentBefore
                + 4096.0 * (HonestClient.REUSED_PAGES + HOSTILE_PAGES + BOOKKEEPING_PAGES));
  }

  /** The server answered each call as its contract says, and blamed itself for none. */
  private static void areRefusals(String codes) {
    assertThat(codes)
        .doesNotContain("INTERNAL")
        .doesNotContain("UNKNOWN")
        .doesNotContain("UNAVAILABLE")
        .doesNotContain("DEADLINE");
  }

  @Test
  void scribbling_overHeaderAndTable_harmsNobodyElse() throws IOException {
    scribble(20261101, 200_000);
  }

  @Test
  @Tag("long")
  void scribbling_forLong_harmsNobodyElse() throws IOException {
    for (long seed = 1; seed <= 20; seed++) {
      scribble(seed, 5_000_000);
    }
  }

  private void scribble(long seed, int writes) throws IOException {
    String codes = underLoad("scribble " + seed + " " + writes);

    assertThat(codes).as("seed %d", seed).contains("OK");
    areRefusals(codes);
    assertThat(Integer.parseInt(hostile.ask("resident")))
        .isLessThanOrEqualTo(HOSTILE_PAGES + BOOKKEEPING_PAGES);
  }

  @Test
  void everyWord_setToOneValue_isBelievedWithinItsRangeOnly() throws IOException {
    for (long stamp : new long[] {0, 1, System.nanoTime(), PageWord.MAX_STAMP}) {
      hostile.ask("use-all");
      hostile.ask("words " + PageWord.available(stamp));
      areRefusals(underLoad("calls " + stamp + " 100"));

      hostile.ask("use-all");
      hostile.ask("words " + PageWord.available(stamp));
      assertThat(client.shrinker().scan(Long.MAX_VALUE, hostileRange, false).reclaimedPages())
          .as("stamp %d", stamp)
          .isEqualTo(HOSTILE_PAGES);
      assertThat(hostile.ask("resident")).isEqualTo(Integer.toString(BOOKKEEPING_PAGES));
    }
    for (long word : new long[] {PageWord.USED_WORD, 3, 0, -1}) {
      hostile.ask("use-all");
      hostile.ask("words " + word);
      areRefusals(underLoad("calls " + word + " 100"));

      hostile.ask("use-all");
      hostile.ask("words " + word);
      assertThat(client.shrinker().scan(Long.MAX_VALUE, hostileRange, false).reclaimedPages())
          .as("word %d", word)
          .isZero();
      // A page with memory whose word says FREE counts as FREE, and stays charged.
      int used = PageWord.state(word) == PageWord.FREE ? 0 : HOSTILE_PAGES;
      assertThat(HonestClient.status(client, hostileRange).usedPages()).isEqualTo(used);
    }
  }

  @Test
  void trespassing_touchesAllocationsAndPunches_staysWithinItsRange() throws IOException {
    for (long seed = 1; seed <= 5; seed++) {
      assertThat(underLoad("trespass " + seed + " 2000")).isNotEmpty();
      areRefusals(underLoad("calls " + seed + " 100"));
      assertThat(Integer.parseInt(hostile.ask("resident")))
          .isLessThanOrEqualTo(HOSTILE_PAGES + BOOKKEEPING_PAGES);
    }
  }

  @Test
  void ending_fileStillHeldAndFull_givesItsMemoryBack() throws IOException {
    assertThat(hostile.ask("use-all")).isEqualTo("fresh 1");
    assertThat(underLoad("trespass 7 2000")).isNotEmpty();

    hostile.ask("end-session");

    await().until(() -> server.metric("pagetide_sessions") == 1);
    await()
        .untilAsserted(() ->
            assertThat(server.metric("pagetide_resident_bytes"))
                .isLessThanOrEqualTo(residentBefore + 4096.0 * HonestClient.REUSED_PAGES));
    // All but the header's page, which says CLOSED to whoever looks.
    assertThat(Integer.parseInt(hostile.ask("resident"))).isLessThanOrEqualTo(1);
    assertThat(Footprint.of(server.pid()).memfds()).isEqualTo(serverBefore.memfds());
  }

  @Test
  void sizeAndSeals_cannotBeChanged() throws IOException {
    assertThat(hostile.ask("sizes")).isEqualTo("1 1 1 1 1 1 1 size kept");

    assertThat(hostile.ask("use-all")).isEqualTo("fresh 1");
    areRefusals(underLoad("calls 1 100"));
  }

  /** The flags of an open file are shared by all its descriptors: the server's is another one. */
  @Test
  void flagsOfTheDescriptor_changed_areNotTheServers() throws IOException {
    assertThat(hostile.ask("append")).isEqualTo("0");

    assertThat(hostile.ask("use-all")).isEqualTo("fresh 1");
    areRefusals(underLoad("calls 2 200"));
  }

  @Tag(Requires.TAG)
  @Test
  void reopening_throughProcFromAnotherUid_isRefused() throws Exception {
    Requires.otherUid();
    List<Path> files = new ArrayList<>(Footprint.sharedFiles(server.pid()));
    files.addAll(Footprint.sharedFiles(hostile.pid()));
    assertThat(files).hasSizeGreaterThanOrEqualTo(3);

    for (Path file : files) {
      for (String how : List.of("<", "<>", ">")) {
        Process process =
            new ProcessBuilder(
                    "setpriv",
                    "--reuid=" + NOBODY,
                    "--regid=" + NOBODY,
                    "--clear-groups",
                    "sh",
                    "-c",
                    ": " + how + " " + file)
                .redirectErrorStream(true)
                .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as("%s %s", how, file).isNotZero();
        assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
            .contains("ermission denied");
      }
    }
  }
}
