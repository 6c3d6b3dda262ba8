package dev.pagetide.client.hostile;

import dev.pagetide.client.AccessMode;
import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.hostile.Latencies.Summary;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;

/**
 * A process of six clients that send steadily: uses of 1, 16 and 256 pages and their stops, through
 * a mapping and by rpc. At each tick of its own clock a client uses and stops its pages once, which
 * finds what a pause has left of them, and then some times more, at once.
 *
 * <p>{@code 0} and {@code 1} on standard input have it count what it measures for the one load or
 * the other, {@code rest} for none. {@code end} ends the clients, and is answered with a line: what
 * each measured.
 */
final class SteadyClients {
  private static final int[] SIZES = {1, 16, 256};
  private static final int LOADS = 2;
  private static final int NO_LOAD = -1;
  private static final int PAGE_BYTES = 4096;

  /**
   * Which operation of a tick may be warm: the first one found cold caches, the next warms them.
   */
  private static final int FIRST_WARM = 2;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private volatile int load = NO_LOAD;
  private volatile boolean open = true;

  private SteadyClients() {}

  /**
   * What one client measured beside one load; an operation is a use and its stop.
   *
   * @param way shared or rpc
   * @param pages how many it uses at a time
   * @param load 0 or 1
   * @param lost operations that found some pages without memory
   * @param warm operations that found all pages, at once after another one that did
   * @param cpu CPU of a warm operation, the average of those after one pause; a clock read in it
   * @param all operations
   */
  record Measured(
      String way, int pages, int load, long lost, Summary warm, Summary cpu, Summary all) {
    private String toLine() {
      return String.join(
          ",",
          way,
          String.valueOf(pages),
          String.valueOf(load),
          String.valueOf(lost),
          warm.toLine(),
          cpu.toLine(),
          all.toLine());
    }

    /** Reads the answer to {@code end}. */
    static List<Measured> parse(String answer) {
      List<Measured> measured = new ArrayList<>();
      for (String line : answer.split(";", -1)) {
        String[] fields = line.split(",", -1);
        measured.add(
            new Measured(
                fields[0],
                Integer.parseInt(fields[1]),
                Integer.parseInt(fields[2]),
                Long.parseLong(fields[3]),
                Summary.parse(fields[4]),
                Summary.parse(fields[5]),
                Summary.parse(fields[6])));
      }
      return measured;
    }
  }

  /**
   * Runs the process.
   *
   * @param args the directory of the server
   */
  public static void main(String[] args) throws Exception {
    SteadyClients clients = new SteadyClients();
    Path directory = Path.of(args[0]);
    ClientOptions options = ClientOptions.DEFAULT;
    try (PagetideClient shared =
            PagetideClient.connect(directory, options.withAccess(AccessMode.SHARED));
        PagetideClient remote =
            PagetideClient.connect(directory, options.withAccess(AccessMode.REMOTE));
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      List<Client> all = new ArrayList<>();
      for (int pages : SIZES) {
        all.add(clients.new Client("shared", shared, pages, 10_000_000, 15));
        all.add(clients.new Client("rpc", remote, pages, 25_000_000, 2));
      }
      List<Thread> threads =
          all.stream().map(client -> Thread.ofPlatform().daemon().start(client::work)).toList();
      System.out.println("ready");
      String line = input.readLine();
      while (line != null && !line.equals("end")) {
        clients.load = line.equals("rest") ? NO_LOAD : Integer.parseInt(line);
        System.out.println(line);
        line = input.readLine();
      }
      clients.open = false;
      for (Thread thread : threads) {
        thread.join();
      }
      System.out.println(
          all.stream()
              .flatMap(client -> client.measured().stream())
              .map(Measured::toLine)
              .collect(Collectors.joining(";")));
    }
  }

  /** One client: a range, and a thread that works on it. */
  private final class Client {
    private final String way;
    private final PageRange range;
    private final int pages;
    private final long periodNanos;
    private final int again;
    private final Latencies[] warm = {new Latencies(), new Latencies()};
    private final Latencies[] cpu = {new Latencies(), new Latencies()};
    private final Latencies[] all = {new Latencies(), new Latencies()};
    private final long[] lost = new long[LOADS];

    /** Whether the last operation found some pages without memory. */
    private boolean lastLost;

    Client(String way, PagetideClient client, int pages, long periodNanos, int again) {
      this.way = way;
      this.range = client.open(OpenOptions.ofSize((long) pages * PAGE_BYTES));
      this.pages = pages;
      this.periodNanos = periodNanos;
      this.again = again;
    }

    void work() {
      long next = System.nanoTime();
      while (open) {
        boolean isWarm = false;
        int warmOnes = 0;
        int atStart = load;
        long cpuBefore = 0;
        for (int i = 0; i <= again; i++) {
          if (i == FIRST_WARM) {
            cpuBefore = THREADS.getCurrentThreadCpuTime();
          }
          int before = load;
          boolean afterWarm = isWarm && i >= FIRST_WARM;
          long took = useAndStop();
          isWarm = !lastLost;
          if (before == load && before != NO_LOAD) {
            count(before, took, isWarm && afterWarm);
            warmOnes += isWarm && afterWarm ? 1 : 0;
          }
        }
        boolean oneLoad = atStart == load && atStart != NO_LOAD;
        if (oneLoad && warmOnes == again + 1 - FIRST_WARM) {
          cpu[atStart].add((THREADS.getCurrentThreadCpuTime() - cpuBefore) / warmOnes);
        }
        next = Math.max(next + periodNanos, System.nanoTime());
        while (System.nanoTime() < next) {
          LockSupport.parkNanos(next - System.nanoTime());
        }
      }
    }

    /** Uses the pages, touches those that a mapping has lost, stops them; the touches are free. */
    private long useAndStop() {
      long start = System.nanoTime();
      var fresh = range.useRange(0, pages);
      long used = System.nanoTime();
      lastLost = !fresh.isEmpty();
      if (lastLost && way.equals("shared")) {
        touch();
      }
      long touched = System.nanoTime();
      range.stopUsingRange(0, pages);
      return System.nanoTime() - touched + used - start;
    }

    private void touch() {
      for (int page = 0; page < pages; page++) {
        range.fillZero((long) page * PAGE_BYTES, 1);
      }
    }

    private void count(int at, long took, boolean isWarm) {
      all[at].add(took);
      if (isWarm) {
        warm[at].add(took);
      }
      if (lastLost) {
        lost[at]++;
      }
    }

    List<Measured> measured() {
      List<Measured> measured = new ArrayList<>();
      for (int at = 0; at < LOADS; at++) {
        measured.add(
            new Measured(
                way,
                pages,
                at,
                lost[at],
                warm[at].summary(),
                cpu[at].summary(),
                all[at].summary()));
      }
      return measured;
    }
  }
}
