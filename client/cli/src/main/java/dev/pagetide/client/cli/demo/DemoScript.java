package dev.pagetide.client.cli.demo;

import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ScanResult;
import dev.pagetide.client.ShrinkerClient;
import dev.pagetide.client.cli.CommandIo;
import dev.pagetide.client.cli.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * The demo's steps. Each step says what it does, does it with real processes, checks the result,
 * and shows it: the page maps before and after, the counts, and the metric that changed.
 */
final class DemoScript {

  private static final int PAGES = 64;
  private static final int ALICE = 1;
  private static final int BOB = 2;
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final Duration POLL = Duration.ofMillis(20);
  private static final int HANDED_BYTES = 1 << 20;
  private static final String REQUESTS_METRIC = "grpc_server_requests_received_messages_total";
  private static final String USE_METHOD = "method=\"UseRange\"";
  private static final String PAGES_METRIC = "pagetide_pages";
  private static final String RESIDENT_METRIC = "pagetide_resident_bytes";
  private static final String RECLAIMED_METRIC = "pagetide_pages_reclaimed_total";

  private final CommandIo io;
  private final Story story;
  private final Path launcher;
  private final Path directory;
  private final boolean stays;
  private final Summary summary = new Summary();

  /**
   * A script.
   *
   * @param stays whether the server stays until Enter, so that a person can see its tide map
   */
  DemoScript(CommandIo io, Path launcher, Path directory, boolean stays) {
    this.io = io;
    this.story = new Story(io.out(), io.colour());
    this.launcher = launcher;
    this.directory = directory;
    this.stays = stays;
  }

  /**
   * Plays all steps. When it returns, every process that it started has ended.
   *
   * @throws DemoFailure at the first check that fails
   */
  void play() throws IOException {
    Path sockets = Files.createDirectory(directory.resolve("run"));
    story.step("Start a server, with no configuration.");
    try (DemoServer server = startServer(sockets);
        DemoClient alice =
            DemoClient.start("alice", sockets, directory.resolve("alice.log"), javaOptions());
        DemoClient bob =
            DemoClient.start("bob", sockets, directory.resolve("bob.log"), javaOptions());
        PagetideClient operator = PagetideClient.connect(sockets)) {
      story.note("process " + server.pid() + ", metrics at " + server.metrics());
      Cast cast = new Cast(server, alice, bob, operator.shrinker());
      open(cast);
      useAndWrite(cast);
      useByMapping(cast);
      stopSome(cast);
      shrink(cast);
      readBack(cast);
      useAgain(cast);
      handOver(cast);
      killBob(cast);
      stay(server);
      stopServer(cast);
      story.summary(summary.lines());
      server.map().ifPresent(url -> story.mapUrl(url, stays));
    }
    story.end("Done: every check held, and nothing is left running.");
  }

  /** Options of the clients' JVMs; the server's launcher takes them from the environment, too. */
  private String javaOptions() {
    return io.environment().getOrDefault("PAGETIDE_JAVA_OPTS", "");
  }

  private DemoServer startServer(Path sockets) throws IOException {
    try (Progress _ = Progress.begin(io, "starting", 0)) {
      return DemoServer.start(launcher, sockets, directory.resolve("server.log"));
    }
  }

  /** All processes of the demo. */
  private record Cast(
      DemoServer server, DemoClient alice, DemoClient bob, ShrinkerClient shrinker) {

    List<Counts> counts() {
      return shrinker.listRanges().stream().map(Counts::of).toList();
    }
  }

  private void open(Cast cast) {
    story.step("Two client processes, alice and bob, open a range of " + PAGES + " pages each.");
    for (DemoClient client : List.of(cast.alice, cast.bob)) {
      client.begin("open " + client.name() + " " + PAGES);
    }
    for (DemoClient client : List.of(cast.alice, cast.bob)) {
      String[] opened = client.answer().split(" ", -1);
      check(opened[1].equals(Integer.toString(PAGES)), "got " + opened[1] + " pages");
      story.note(
          client.name()
              + " is process "
              + client.pid()
              + " and holds range "
              + opened[0]
              + ": "
              + opened[1]
              + " pages of "
              + opened[2]
              + " bytes");
      check(opened[3].equals("SHARED"), client.name() + " could not map its range");
    }
    story.legend();
    story.map("alice", expectMap(cast.alice, ".".repeat(PAGES)));
    story.map("bob", expectMap(cast.bob, ".".repeat(PAGES)));
    story.counts(cast.counts());
  }

  private void useAndWrite(Cast cast) {
    story.step("alice uses 48 pages and bob 32: they get memory of zeros, and write into it.");
    takeAndFill(cast.alice, 48, ALICE);
    takeAndFill(cast.bob, 32, BOB);
    story.counts(cast.counts());
    showPages(cast, "used", 80);
  }

  private void takeAndFill(DemoClient client, int pages, int seed) {
    String before = client.tell("map");
    String fresh = client.tell("use 0 " + pages);
    check(fresh.equals("0.." + pages), client.name() + "'s fresh pages are " + fresh);
    var _ = client.tell("fill 0 " + pages + " " + seed);
    String after = expectMap(client, "U".repeat(pages) + ".".repeat(PAGES - pages));
    story.maps(client.name(), before, after);
  }

  private void useByMapping(Cast cast) throws IOException {
    story.step("alice stops a page and uses it, again and again, in the memory she shares.");
    String before = cast.server.sample(REQUESTS_METRIC, USE_METHOD);
    story.metric(before);
    String mapped = measure(cast.alice, "pair mapped 0");
    String after = cast.server.sample(REQUESTS_METRIC, USE_METHOD);
    check(after.equals(before), "the server was asked: " + after);
    story.note("the server was asked 0 times; then she asks it, again and again:");
    String asked = measure(cast.alice, "pair rpc 0");
    story.metric(cast.server.sample(REQUESTS_METRIC, USE_METHOD));
    summary.pairs(Double.parseDouble(mapped), Double.parseDouble(asked));
    story.note(summary.ofPairs() + " (medians)");
  }

  private String measure(DemoClient client, String order) throws IOException {
    try (Progress _ = Progress.begin(io, "measuring", 0)) {
      return client.tell(order);
    }
  }

  private void stopSome(Cast cast) {
    story.step("alice stops using her first 16 pages, then bob his first 8: their bytes stay.");
    var _ = cast.alice.tell("stop 0 16");
    String alice = expectMap(cast.alice, "a".repeat(16) + "U".repeat(32) + ".".repeat(16));
    var _ = cast.bob.tell("stop 0 8");
    String bob = expectMap(cast.bob, "a".repeat(8) + "U".repeat(24) + ".".repeat(32));
    story.maps("alice", "U".repeat(48) + ".".repeat(16), alice);
    story.maps("bob", "U".repeat(32) + ".".repeat(32), bob);
    story.counts(cast.counts());
    long available = cast.shrinker.count(ShrinkerClient.ALL_RANGES);
    check(available == 24, "the shrinker counts " + available + " pages, not 24");
    story.note("the shrinker counts " + available + " pages it could take");
    showPages(cast, "available", 24);
  }

  private void shrink(Cast cast) {
    story.step("The shrinker takes 20 pages: those first that were stopped first.");
    String alice = cast.alice.tell("map");
    String bob = cast.bob.tell("map");
    double before = DemoServer.value(cast.server.sample(RECLAIMED_METRIC, null));
    ScanResult scan = cast.shrinker.scan(20, ShrinkerClient.ALL_RANGES, false);
    check(scan.reclaimedPages() == 20, "it reclaimed " + scan.reclaimedPages() + " pages, not 20");
    story.note("scanned " + scan.scannedPages() + ", reclaimed " + scan.reclaimedPages());
    String aliceAfter = expectMap(cast.alice, ".".repeat(16) + "U".repeat(32) + ".".repeat(16));
    String bobAfter = expectMap(cast.bob, "aaaa" + ".".repeat(4) + "U".repeat(24) + ".".repeat(32));
    story.maps("alice", alice, aliceAfter);
    story.maps("bob", bob, bobAfter);
    story.counts(cast.counts());
    String reclaimed = cast.server.sample(RECLAIMED_METRIC, null);
    check(DemoServer.value(reclaimed) - before == 20, "the metric says " + reclaimed);
    story.metric(reclaimed);
    showPages(cast, "free", 68);
  }

  private void readBack(Cast cast) {
    story.step("alice reads the 32 pages she still uses: nobody touched them.");
    story.note("all " + cast.alice.tell("check 16 48 " + ALICE) + " bytes are what she wrote");
  }

  private void useAgain(Cast cast) {
    story.step("Both use their stopped pages again, and learn which of them were taken.");
    String alice = cast.alice.tell("map");
    String bob = cast.bob.tell("map");
    String fresh = cast.alice.tell("use 0 16");
    check(fresh.equals("0..16"), "alice's fresh pages are " + fresh);
    story.note(
        "alice: pages "
            + fresh
            + " are fresh; all "
            + cast.alice.tell("zeros 0 16")
            + " bytes read as zeros");
    fresh = cast.bob.tell("use 0 8");
    check(fresh.equals("4..8"), "bob's fresh pages are " + fresh);
    story.note(
        "bob: pages "
            + fresh
            + " are fresh; all "
            + cast.bob.tell("zeros 4 8")
            + " bytes read as zeros");
    story.note("bob: pages 0..4 kept all " + cast.bob.tell("check 0 4 " + BOB) + " bytes");
    story.maps("alice", alice, expectMap(cast.alice, "U".repeat(48) + ".".repeat(16)));
    story.maps("bob", bob, expectMap(cast.bob, "U".repeat(32) + ".".repeat(32)));
    story.counts(cast.counts());
    showPages(cast, "used", 80);
  }

  private void handOver(Cast cast) throws IOException {
    story.step(
        "alice hands bob 1 MiB, again and again: the server copies it once each time, and bob reads"
            + " it where it lies.");
    String[] inbox = cast.bob.tell("receive inbox").split(" ", -1);
    check(inbox[2].equals("SHARED"), "bob could not map his inbox");
    story.note("bob receives as \"inbox\", in range " + inbox[0] + " of " + inbox[1] + " bytes");
    Handed handed = hand(cast.alice, "hand inbox " + HANDED_BYTES);
    check(handed.rest.equals(List.of("SHARED")), "alice could not map what she writes into");
    story.note(
        "alice wrote "
            + HANDED_BYTES
            + " bytes into shared memory, with the checksum "
            + handed.checksum);
    story.note("bob read them in place, and replied with their checksum, " + handed.checksum);
    story.note(
        "The same bytes by plain gRPC through a relay, a third process, and in one process:");
    double relayed = handRelayed(cast, handed.checksum);
    Handed copied = hand(cast.alice, "copy " + HANDED_BYTES);
    check(copied.checksum.equals(handed.checksum), "the copy is not what alice wrote");
    summary.handed(HANDED_BYTES, handed.nanos, relayed, copied.nanos);
    summary.ofHandedInDetail().forEach(story::note);
    var _ = cast.bob.tell("leave");
    await(
        "their buffers to be gone",
        () -> names(cast).stream().sorted().toList().equals(List.of("alice", "bob")));
    await("their pages to be gone", () -> value(cast, "used") == 80);
    story.counts(cast.counts());
  }

  /** Sends the same bytes by gRPC; the median nanoseconds. */
  private double handRelayed(Cast cast, String checksum) throws IOException {
    Path relay = directory.resolve("relay.sock");
    Path bob = directory.resolve("bob.sock");
    var _ = cast.bob.tell("receive-relayed " + bob);
    try (DemoClient relaying =
        DemoClient.relay(relay, bob, directory.resolve("relay.log"), javaOptions())) {
      var _ = relaying.answer();
      Handed handed = hand(cast.alice, "hand-relayed " + relay + " " + HANDED_BYTES);
      check(handed.checksum.equals(checksum), "gRPC carried other bytes than alice's");
      check(relaying.awaitExit() == 0, "the relay did not end with 0");
      return handed.nanos;
    }
  }

  private Handed hand(DemoClient client, String order) throws IOException {
    List<String> words = List.of(measure(client, order).split(" ", -1));
    check(
        words.get(0).equals(words.get(1)),
        "what was read has checksum " + words.get(1) + ", what was written " + words.get(0));
    return new Handed(
        words.get(0), Double.parseDouble(words.get(2)), words.subList(3, words.size()));
  }

  /** The result of sending bytes: their checksum on both sides, and how long it took. */
  private record Handed(String checksum, double nanos, List<String> rest) {}

  private void killBob(Cast cast) {
    story.step("bob is killed (SIGKILL): the kernel closes his socket, and his memory comes back.");
    String before = cast.server.sample(RESIDENT_METRIC, null);
    story.metric(before);
    cast.bob.kill();
    await("bob's range to be gone", () -> names(cast).equals(List.of("alice")));
    await("bob's pages to be gone", () -> value(cast, "used") == 48 && value(cast, "free") == 16);
    await(
        "bob's memory to be back",
        () ->
            DemoServer.value(cast.server.sample(RESIDENT_METRIC, null)) < DemoServer.value(before));
    story.metric(cast.server.sample(RESIDENT_METRIC, null));
    showPages(cast, "used", 48);
    story.note("live ranges: " + String.join(", ", names(cast)));
    story.counts(cast.counts());
    story.map("alice", expectMap(cast.alice, "U".repeat(48) + ".".repeat(16)));
  }

  /** Waits for a line of input, or for its end, if the user asked for that. */
  private void stay(DemoServer server) throws IOException {
    if (!stays) {
      return;
    }
    story.step("The server stays until you press Enter. Its tide map, live, with alice's pages:");
    story.note(server.map().orElse("this server offers none"));
    int read = io.in().read();
    while (read >= 0 && read != '\n') {
      read = io.in().read();
    }
  }

  private void stopServer(Cast cast) {
    story.step("The server is told to stop (SIGTERM): it tells alice, who closes her range.");
    cast.alice.begin("drain");
    cast.server.terminate();
    story.note("alice heard: " + cast.alice.answer());
    check(cast.alice.awaitExit() == 0, "alice did not end with 0");
    int status = cast.server.awaitExit();
    check(status == 0, "the server ended with " + status);
    story.note("alice and the server ended with 0");
  }

  private static List<String> names(Cast cast) {
    return cast.shrinker.listRanges().stream().map(RangeStatus::name).toList();
  }

  private static double value(Cast cast, String state) {
    return DemoServer.value(cast.server.sample(PAGES_METRIC, "state=\"" + state + "\""));
  }

  private void showPages(Cast cast, String state, int expected) {
    String sample = cast.server.sample(PAGES_METRIC, "state=\"" + state + "\"");
    check(DemoServer.value(sample) == expected, "the metric says " + sample + ", not " + expected);
    story.metric(sample);
  }

  private static String expectMap(DemoClient client, String expected) {
    String map = client.tell("map");
    check(map.equals(expected), client.name() + "'s pages are\n" + map + "\nnot\n" + expected);
    return map;
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) {
      throw new DemoFailure(otherwise);
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - start > PATIENCE.toNanos()) {
        throw new DemoFailure("waited " + PATIENCE.toSeconds() + " s in vain for " + what);
      }
      try {
        Thread.sleep(POLL);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new DemoFailure("interrupted", e);
      }
    }
  }
}
