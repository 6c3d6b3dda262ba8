package dev.pagetide.client.hostile;

import dev.pagetide.client.AccessMode;
import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.ShrinkerClient;
import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;

/**
 * What does a warm UseRange cost beside a hostile process, and what beside an honest one of the
 * same load? At most 1.5 times its median is wanted.
 *
 * <p>The two neighbours work in turns, a fraction of a second each, so that whatever else the
 * machine does hits both; the shrinker scans all the while. Sketch: a unary call takes some 100 us,
 * and a warm one takes no lock and shares nothing with another range but the threads that serve it.
 */
public final class HostileNeighbourComparison {
  private static final double LIMIT = 1.5;
  private static final int ROUNDS = 60;
  private static final int UNMEASURED_ROUNDS = 20;
  private static final int CALLS = 500;
  private static final int UNMEASURED_CALLS = 100;
  private static final int CALLS_A_SCAN = 25;

  private HostileNeighbourComparison() {}

  /** Compares. */
  public static void main(String[] arguments) throws IOException {
    ClientOptions remote = ClientOptions.DEFAULT.withAccess(AccessMode.REMOTE);
    try (ServerProcess server = ServerProcess.start();
        PagetideClient client = PagetideClient.connect(server.directory(), remote);
        PageRange range = client.open(OpenOptions.ofSize(1 << 16));
        Child honest = Child.start(Neighbour.class, server.directory().toString(), "honest");
        Child hostile = Child.start(Neighbour.class, server.directory().toString(), "hostile")) {
      range.useRange(0, 1);
      long[] besideHonest = new long[ROUNDS * CALLS];
      long[] besideHostile = new long[ROUNDS * CALLS];
      System.out.println(honest.readLine() + " and " + hostile.readLine() + " take turns");
      for (int round = -UNMEASURED_ROUNDS; round < ROUNDS; round++) {
        int slot = Math.max(0, round) * CALLS;
        measure(client, range, honest, besideHonest, slot);
        measure(client, range, hostile, besideHostile, slot);
      }
      report(besideHonest, besideHostile);
      System.out.printf(
          "rounds of work: honest %s, hostile %s%n", honest.ask("stop"), hostile.ask("stop"));
    }
  }

  private static void measure(
      PagetideClient client, PageRange range, Child neighbour, long[] nanos, int slot)
      throws IOException {
    String _ = neighbour.ask("go");
    for (int call = -UNMEASURED_CALLS; call < CALLS; call++) {
      if (call % CALLS_A_SCAN == 0) {
        long _ = client.shrinker().scan(64, ShrinkerClient.ALL_RANGES, false).scannedPages();
      }
      long start = System.nanoTime();
      var fresh = range.useRange(0, 1);
      nanos[slot + Math.max(0, call)] = System.nanoTime() - start;
      if (!fresh.isEmpty()) {
        throw new IllegalStateException("a USED page was taken");
      }
    }
    String _ = neighbour.ask("stop");
  }

  private static void report(long[] besideHonest, long[] besideHostile) {
    double honest = median(besideHonest);
    double hostile = median(besideHostile);
    System.out.printf(
        "warm UseRange: %.1f us beside a hostile client, %.1f us beside an honest one, ratio %.2f"
            + " (wanted: at most %.1f)%n",
        hostile / TimeUnit.MICROSECONDS.toNanos(1),
        honest / TimeUnit.MICROSECONDS.toNanos(1),
        hostile / honest,
        LIMIT);
  }

  private static double median(long[] nanos) {
    long[] sorted = nanos.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
