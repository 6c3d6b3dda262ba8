package dev.pagetide.client.hostile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.ShrinkerClient;
import dev.pagetide.client.hostile.FireMember.Command;
import dev.pagetide.server.page.Seeds;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Transactions of random sizes between four processes, staged and by message, one-way and two-way,
 * mapped and not, while the shrinker scans without pause and a fifth process, which takes part, is
 * killed with SIGKILL and followed by another, again and again.
 *
 * <p>FORBIDDEN: a byte that is not its sender's; a one-way transaction that was accepted and did
 * not come, came and was not accepted, or came before an earlier one of its sender; a failure
 * without a reason of the contract, or with one that nothing here can cause; a call that never
 * ends; a buffer, a byte of one-way space, a page, a charge or a waiter that is left once
 * everything has ended.
 */
final class TransactionsUnderFireTest {
  private static final List<String> MEMBERS = List.of("m0", "m1", "m2", "m3");

  /** The member that has not mapped its range. */
  private static final int REMOTE_MEMBER = 3;

  private static final Duration PATIENCE = Duration.ofMinutes(3);
  private static final Duration POLL = Duration.ofMillis(10);

  /** What is the same before the first transaction and after the last. */
  private static final List<String> ACCOUNTS =
      List.of(
          "pagetide_buffers{",
          "pagetide_buffers_bytes{",
          "pagetide_buffers_free_bytes ",
          "pagetide_buffers_largest_gap_bytes ",
          "pagetide_buffers_one_way_bytes ",
          "pagetide_parties ",
          "pagetide_resident_bytes ",
          "pagetide_sessions ",
          "pagetide_waiting ");

  private final AtomicLong done = new AtomicLong();
  private final Queue<Object> failures = new ConcurrentLinkedQueue<>();
  private final AtomicLong reclaimedPages = new AtomicLong();
  private final AtomicLong scans = new AtomicLong();
  private volatile boolean scanning = true;

  /**
   * One run.
   *
   * @param transactions how many are carried out between the four, at least
   * @param kills how often the fifth is killed, at least, each time after the four have carried out
   *     a share of the transactions
   */
  private void run(long transactions, int kills) throws Exception {
    long seed = Seeds.next();
    List<Child> children = new ArrayList<>();
    try (ServerProcess server = startServer();
        PagetideClient client = PagetideClient.connect(server.directory())) {
      ShrinkerClient shrinker = client.shrinker();
      assertThat(shrinker.listRanges()).isEmpty();
      Footprint before = Footprint.of(server.pid());
      try {
        for (int i = 0; i < MEMBERS.size(); i++) {
          children.add(start(server, i == REMOTE_MEMBER, seed + i * 100L, MEMBERS.get(i)));
        }
        List<Child> four = List.copyOf(children);
        Mortals mortals = new Mortals(server, children, seed + 1000, kills);
        askAll(four, Command.OPEN);
        Map<String, String> atTheStart = accounts(server);
        Tally tally = new Tally();
        for (int i = 0; i < four.size(); i++) {
          String next = MEMBERS.get((i + 1) % MEMBERS.size());
          tally.addParsed(four.get(i).ask(Command.LARGEST + " " + next));
        }

        Thread scanner = Thread.ofVirtual().start(() -> scan(shrinker));
        List<CompletableFuture<String>> ends = four.stream().map(this::runToTheEnd).toList();
        int killed = killAgainAndAgain(shrinker, mortals, transactions, kills);
        for (Child child : four) {
          child.tell(Command.STOP.name());
        }
        for (CompletableFuture<String> end : ends) {
          tally.addParsed(end.get(PATIENCE.toSeconds(), TimeUnit.SECONDS));
        }
        awaitOrFail(() -> noBuffers(server));
        scanning = false;
        scanner.join();

        everyOneWayCameThatWasAccepted(four);
        List<RangeStatus> idle = shrinker.listRanges();
        assertThat(idle).extracting(RangeStatus::name).containsExactlyInAnyOrderElementsOf(MEMBERS);
        assertThat(idle).allMatch(range -> range.usedPages() == 0);
        assertThat(idle).allMatch(range -> range.strays() == 0 && range.contradictions() == 0);
        shrinker.scan(Integer.MAX_VALUE, ShrinkerClient.ALL_RANGES, false);
        assertThat(shrinker.count(ShrinkerClient.ALL_RANGES)).isZero();
        assertThat(accounts(server)).isEqualTo(atTheStart);
        assertThat(accounts(server)).containsEntry("pagetide_sessions", "4.0");
        System.out.printf(
            "TransactionsUnderFireTest: %d done, %d kills, %d scans, %d pages reclaimed; %s%n",
            done.get(), killed, scans.get(), reclaimedPages.get(), tally);
        assertThat(failures).isEmpty();
        assertThat(done).hasValueGreaterThanOrEqualTo(transactions);
        assertThat(reclaimedPages).hasPositiveValue();

        askAll(four, Command.CLOSE);
        await()
            .atMost(PATIENCE)
            .untilAsserted(() -> {
              assertThat(server.metric("pagetide_sessions")).isZero();
              assertThat(server.metric("pagetide_parties")).isZero();
              assertThat(server.metric("pagetide_resident_bytes")).isZero();
            });
      } finally {
        scanning = false;
        children.forEach(Child::close);
      }
      await().atMost(PATIENCE).untilAsserted(() -> Footprint.of(server.pid()).isNoMoreThan(before));
      assertThat(server.metric("pagetide_strays_total")).isZero();
      assertThat(server.log()).doesNotContain("\tat ").doesNotContain("ERROR");
    }
  }

  /** Less memory than five ranges may take, few buffers, few transactions: all run out at times. */
  private static ServerProcess startServer() throws IOException {
    return ServerProcess.start(
        "--http",
        "127.0.0.1:0",
        "--pressure=off", // this machine's other memory is no part of the test
        "--max-resident-bytes=3MiB",
        "--max-resident-bytes-per-uid=3MiB",
        "--allocation-wait=100ms",
        "--max-buffers=32",
        "--max-transactions=8");
  }

  private static Child start(ServerProcess server, boolean remote, long seed, String name)
      throws IOException {
    List<String> arguments = new ArrayList<>();
    arguments.add(server.directory().toString());
    arguments.add(remote ? "REMOTE" : "SHARED");
    arguments.add(Long.toString(seed));
    arguments.add(name);
    Stream.concat(MEMBERS.stream(), Stream.of(ParcelSender.MORTAL))
        .filter(peer -> !peer.equals(name))
        .forEach(arguments::add);
    return Child.start(FireMember.class, arguments.toArray(String[]::new));
  }

  private static void askAll(List<Child> children, Command command) {
    children.stream()
        .map(child -> child.askAsync(command.name()))
        .toList()
        .forEach(answer -> assertThat(answer.join()).isEqualTo(command.name()));
  }

  /** Lets one run, and counts what it does, until it says something else. */
  private CompletableFuture<String> runToTheEnd(Child child) {
    return run(child, done);
  }

  private CompletableFuture<String> run(Child child, AtomicLong counter) {
    CompletableFuture<String> end = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            child.tell(Command.RUN.name());
            String line = child.readLine();
            while (line.startsWith(FireMember.PROGRESS)) {
              counter.addAndGet(Long.parseLong(line.substring(FireMember.PROGRESS.length() + 1)));
              line = child.readLine();
            }
            if (line.startsWith(FireMember.FAILED)) {
              failures.add(line);
            }
            end.complete(line);
          } catch (IOException e) {
            end.completeExceptionally(e); // it was killed
          }
        });
    return end;
  }

  /** Waits for something, but not once a process has failed. */
  private void awaitOrFail(BooleanSupplier condition) {
    await()
        .atMost(PATIENCE)
        .pollInterval(POLL)
        .until(() -> !failures.isEmpty() || condition.getAsBoolean());
    assertThat(failures).isEmpty();
  }

  /** One lives, is killed, and is followed by the next, which has been started before. */
  private int killAgainAndAgain(
      ShrinkerClient shrinker, Mortals mortals, long transactions, int kills) throws Exception {
    long share = transactions / kills;
    int killed = 0;
    while (done.get() < transactions || killed < kills) {
      Child mortal = mortals.next();
      assertThat(mortal.ask(Command.OPEN.name())).isEqualTo(Command.OPEN.name());
      AtomicLong itsDone = new AtomicLong();
      CompletableFuture<String> end = run(mortal, itsDone);
      long enough = done.get() + share;
      awaitOrFail(() -> itsDone.get() > 0 && done.get() >= enough);

      mortal.kill();

      killed++;
      assertThat(end).failsWithin(PATIENCE);
      awaitOrFail(() -> isGone(shrinker));
    }
    return killed;
  }

  /** The processes that are killed one after the other; some are ready to be the next. */
  private static final class Mortals {
    private static final int READY = 4;

    private final ServerProcess server;
    private final List<Child> children;
    private final long seed;
    private final int kills;
    private final ArrayDeque<Child> ready = new ArrayDeque<>();
    private int started;

    Mortals(ServerProcess server, List<Child> children, long seed, int kills) throws IOException {
      this.server = server;
      this.children = children;
      this.seed = seed;
      this.kills = kills;
      while (started < Math.min(kills, READY)) {
        startOne();
      }
    }

    private void startOne() throws IOException {
      boolean remote = started % 3 == 2;
      Child child = start(server, remote, seed + started * 100L, ParcelSender.MORTAL);
      started++;
      children.add(child);
      ready.addLast(child);
    }

    Child next() throws IOException {
      if (started < kills || ready.isEmpty()) {
        startOne();
      }
      return ready.removeFirst();
    }
  }

  private static boolean isGone(ShrinkerClient shrinker) {
    return shrinker.listRanges().stream()
        .noneMatch(range -> range.name().equals(ParcelSender.MORTAL));
  }

  private void scan(ShrinkerClient shrinker) {
    try {
      while (scanning) {
        reclaimedPages.addAndGet(
            shrinker.scan(Integer.MAX_VALUE, ShrinkerClient.ALL_RANGES, false).reclaimedPages());
        scans.incrementAndGet();
      }
    } catch (RuntimeException e) {
      failures.add(e);
    }
  }

  private static Map<String, String> accounts(ServerProcess server) throws IOException {
    Map<String, String> accounts = new TreeMap<>();
    for (String line : server.metrics().lines().toList()) {
      if (ACCOUNTS.stream().anyMatch(line::startsWith)) {
        int space = line.lastIndexOf(' ');
        accounts.put(line.substring(0, space), line.substring(space + 1));
      }
    }
    return accounts;
  }

  private static boolean noBuffers(ServerProcess server) {
    try {
      return accounts(server).entrySet().stream()
          .filter(entry -> entry.getKey().startsWith("pagetide_buffers{"))
          .allMatch(entry -> Double.parseDouble(entry.getValue()) == 0);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** What each of the four says that it sent to another is what that one says that came from it. */
  private static void everyOneWayCameThatWasAccepted(List<Child> four) throws IOException {
    List<Map<String, String>> books = new ArrayList<>();
    for (Child child : four) {
      books.add(OneWayBook.parse(child.ask(Command.BOOK.name())));
    }
    for (int from = 0; from < four.size(); from++) {
      for (int to = 0; to < four.size(); to++) {
        if (from != to) {
          assertThat(books.get(to).get(OneWayBook.cameFrom(MEMBERS.get(from))))
              .as("from %s to %s", MEMBERS.get(from), MEMBERS.get(to))
              .isNotNull()
              .isEqualTo(books.get(from).get(OneWayBook.sentTo(MEMBERS.get(to))));
        }
      }
    }
  }

  @Test
  void transactions_tenThousandWhileScannedAndPeersKilled_everyByteRightAndNothingLeft()
      throws Exception {
    run(10_000, 5);
  }

  @Tag("long")
  @Test
  void transactions_twoHundredThousandWhileScannedAndPeersKilled_everyByteRightAndNothingLeft()
      throws Exception {
    run(200_000, 60);
  }
}
