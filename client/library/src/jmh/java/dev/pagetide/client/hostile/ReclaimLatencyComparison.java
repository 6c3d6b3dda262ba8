package dev.pagetide.client.hostile;

import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.hostile.Latencies.Summary;
import dev.pagetide.client.hostile.SteadyClients.Measured;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * What do uses cost while an operator reclaims without pause, and what beside a busy loop that
 * burns as much CPU? A warm use through a mapping must not notice (p99 within 1.2 times), rpcs stay
 * within 2 times, and no allocation waits for its range's lock for longer than one bounded punch.
 *
 * <p>The question and its form are those of kernel commit 7710e2cca32e, for Binder's page range:
 * clients of mixed sizes and priorities send steadily. Here they use and stop 1, 16 and 256 pages,
 * through a mapping and by rpc, in a process of nice 0 and one of nice 10. The two loads take turns
 * of half a second; the loop's share is set, turn by turn, to what the reclaimer was seen to take:
 * its own process, the server's worker threads without their allocations, which are the clients',
 * and of the server's event loops what its calls are among all calls.
 *
 * <p>What is <em>warm</em>: a use that finds all its pages, at once after a stop, and after another
 * use that found them, too; so no pause and no rpc has cooled the caches of one load's uses and not
 * of the other's. <em>All</em> has every use, also the first after each pause, which under reclaim
 * has nearly always lost its pages: through a mapping that compares an rpc and an allocation with
 * some compare-and-sets. How many lost pages is told. <em>CPU</em> is the thread's CPU time of warm
 * uses: what they cost without the waiting for a processor, which a reclaimer that wakes four
 * threads a scan, and all the rpcs for lost pages, make more of than one loop does, where there are
 * few processors.
 *
 * <p>Sketch: a scan reads a page's word, which costs a client's next compare-and-set a cache miss,
 * and a punch of mapped pages interrupts the other CPU; 100 ns and some us, for one use in
 * thousands. A use by rpc takes 100 us and, under reclaim, 1 us a page that it allocates again.
 */
public final class ReclaimLatencyComparison {
  private static final int UNMEASURED_TURNS = 5;
  private static final int TURNS = 25;
  private static final long SETTLE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long TURN_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
  private static final double WARM_LIMIT = 1.2;
  private static final double RPC_LIMIT = 2;
  private static final int RECLAIM = 0;
  private static final int LOOP = 1;

  private final ServerProcess server;
  private final Child reclaimer;
  private final Map<String, Child> clients;

  /** CPU of one load's turns so far, in seconds, and how long they were. */
  private static final class Cpu {
    private double process;
    private double workers;
    private double loops;
    private double wall;

    private double total() {
      return process + workers + loops;
    }
  }

  private final Cpu[] cpu = {new Cpu(), new Cpu()};
  private long reclaimedPages;

  private ReclaimLatencyComparison(
      ServerProcess server, Child reclaimer, Map<String, Child> clients) {
    this.server = server;
    this.reclaimer = reclaimer;
    this.clients = clients;
  }

  /** Compares. */
  public static void main(String[] arguments) throws IOException {
    try (ServerProcess server = ServerProcess.start("--http", "127.0.0.1:0", "--pressure", "off");
        Child reclaimer = Child.start(Reclaimer.class, server.directory().toString());
        Child plain = clients(server, 0);
        Child nice = clients(server, 10)) {
      Map<String, Child> clients = new LinkedHashMap<>();
      clients.put("nice 0", plain);
      clients.put("nice 10", nice);
      for (Child child : clients.values()) {
        var _ = child.readLine();
      }
      new ReclaimLatencyComparison(server, reclaimer, clients).compare();
    }
  }

  private static Child clients(ServerProcess server, int priority) throws IOException {
    // With the JIT that clients have: the quicker a warm use is, the more it notices.
    return Child.start(
        List.of("nice", "-n", String.valueOf(priority)),
        List.of(),
        SteadyClients.class,
        server.directory().toString());
  }

  private void compare() throws IOException {
    for (int turn = -UNMEASURED_TURNS; turn < TURNS; turn++) {
      if (turn == 0) {
        reclaimedPages = 0;
        cpu[RECLAIM] = new Cpu();
        cpu[LOOP] = new Cpu();
      }
      take(RECLAIM, "scan", turn >= 0);
      // What the loop still owes, in one turn: so that both have taken the same after each.
      double owed = cpu[RECLAIM].total() - cpu[LOOP].process;
      take(LOOP, "burn " + owed / (TURN_NANOS / 1e9), turn >= 0);
    }
    report();
  }

  private void take(int load, String command, boolean measured) throws IOException {
    long pages = Long.parseLong(reclaimer.ask(command));
    pause(SETTLE_NANOS);
    tellClients(measured ? String.valueOf(load) : "rest");
    double workersBefore = workerSeconds();
    double loopsBefore = ThreadTimes.seconds(server.pid(), "multiThreadIoEv");
    double scansBefore = calls("method=\"Scan\"");
    double callsBefore = calls("");
    double processBefore = ThreadTimes.seconds(reclaimer.pid(), "");
    long start = System.nanoTime();
    pause(TURN_NANOS);
    cpu[load].wall += (System.nanoTime() - start) / 1e9;
    cpu[load].process += ThreadTimes.seconds(reclaimer.pid(), "") - processBefore;
    cpu[load].workers += workerSeconds() - workersBefore;
    double loops = ThreadTimes.seconds(server.pid(), "multiThreadIoEv") - loopsBefore;
    double scans = calls("method=\"Scan\"") - scansBefore;
    cpu[load].loops += loops * scans / (calls("") - callsBefore);
    tellClients("rest");
    reclaimedPages += Long.parseLong(reclaimer.ask("rest")) - pages;
  }

  private void tellClients(String command) throws IOException {
    for (Child child : clients.values()) {
      var _ = child.ask(command);
    }
  }

  private static void pause(long nanos) {
    long end = System.nanoTime() + nanos;
    while (System.nanoTime() < end) {
      LockSupport.parkNanos(end - System.nanoTime());
    }
  }

  /** The CPU of the threads that scan and allocate, without the allocations. */
  private double workerSeconds() throws IOException {
    return ThreadTimes.seconds(server.pid(), "pagetide-reque")
        - server.metric("pagetide_allocate_seconds_sum");
  }

  /** Calls that the server has received, of those whose tags say something. */
  private double calls(String tag) throws IOException {
    return server
        .metrics()
        .lines()
        .filter(line -> line.startsWith("grpc_server_requests_received_messages_total{"))
        .filter(line -> line.contains(tag))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  private void report() throws IOException {
    double wall = cpu[RECLAIM].wall;
    System.out.printf(
        "reclaimed %.0f pages a second; CPU a second: the operator %.2f s, the server's scans %.2f"
            + " s and their calls %.2f s; the loop in their place %.2f s%n",
        reclaimedPages / wall,
        cpu[RECLAIM].process / wall,
        cpu[RECLAIM].workers / wall,
        cpu[RECLAIM].loops / wall,
        cpu[LOOP].process / cpu[LOOP].wall);
    System.out.println("use + stop, us: average, p99 and maximum under reclaim, beside the loop");
    for (Map.Entry<String, Child> client : clients.entrySet()) {
      List<Measured> measured = Measured.parse(client.getValue().ask("end"));
      List<Measured> loops = new ArrayList<>(measured);
      loops.removeIf(row -> row.load() != LOOP);
      measured.removeIf(row -> row.load() != RECLAIM);
      for (int i = 0; i < measured.size(); i++) {
        report(client.getKey(), measured.get(i), loops.get(i));
      }
    }
    System.out.printf(
        "longest wait of an allocation for its range's lock %.0f us; longest punch %.0f us, longest"
            + " allocation %.0f us%n",
        server.metric("pagetide_lock_wait_seconds_max") * 1e6,
        server.metric("pagetide_punch_seconds_max") * 1e6,
        server.metric("pagetide_allocate_seconds_max") * 1e6);
  }

  private static void report(String priority, Measured reclaim, Measured loop) {
    String name = String.format("%-7s %-6s %3d pages", priority, reclaim.way(), reclaim.pages());
    boolean shared = reclaim.way().equals("shared");
    print(name + " warm", reclaim.warm(), loop.warm(), shared ? WARM_LIMIT : 0);
    if (shared) {
      print(name + " CPU ", reclaim.cpu(), loop.cpu(), 0);
    }
    print(name + " all ", reclaim.all(), loop.all(), shared ? 0 : RPC_LIMIT);
    System.out.printf(
        "%s      lost pages: %d of %d under reclaim, %d of %d beside the loop%n",
        name, reclaim.lost(), reclaim.all().count(), loop.lost(), loop.all().count());
  }

  /** Prints a row; a limit of 0 is none. */
  private static void print(String name, Summary reclaim, Summary loop, double limit) {
    double ratio = reclaim.p99Micros() / loop.p99Micros();
    System.out.printf(
        "%s %9.2f %9.2f %9.0f | %9.2f %9.2f %9.0f | p99 ratio %5.2f%s%n",
        name,
        reclaim.meanMicros(),
        reclaim.p99Micros(),
        reclaim.maxMicros(),
        loop.meanMicros(),
        loop.p99Micros(),
        loop.maxMicros(),
        ratio,
        limit == 0 ? "" : " (wanted: at most " + limit + ")" + (ratio > limit ? " MISSED" : ""));
  }
}
