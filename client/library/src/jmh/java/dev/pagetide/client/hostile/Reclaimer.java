package dev.pagetide.client.hostile;

import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.ShrinkerClient;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;

/**
 * The process of an operator who reclaims without pause; or, in its place, one that burns as much
 * CPU and calls nobody.
 *
 * <p>{@code scan} on standard input has it reclaim, {@code burn SHARE} burn that many seconds of
 * CPU a second, {@code rest} pause. Each is answered with the pages it has reclaimed so far.
 */
final class Reclaimer {
  private static final int PAGES_A_SCAN = 1024;

  /** How long it burns or rests at a stretch: about as long as a scan and its call take. */
  private static final long STRETCH_NANOS = 300_000;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private volatile boolean scans;
  private volatile double share;
  private volatile long reclaimed;

  private Reclaimer() {}

  /**
   * Runs the process.
   *
   * @param args the directory of the server
   */
  public static void main(String[] args) throws Exception {
    Reclaimer reclaimer = new Reclaimer();
    try (PagetideClient client = PagetideClient.connect(Path.of(args[0]), ClientOptions.DEFAULT);
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      Thread.ofPlatform().daemon().start(() -> reclaimer.scan(client));
      Thread.ofPlatform().daemon().start(() -> reclaimer.burn(0));
      Thread.ofPlatform().daemon().start(() -> reclaimer.burn(1));
      String line = input.readLine();
      while (line != null) {
        reclaimer.scans = line.equals("scan");
        reclaimer.share =
            line.startsWith("burn ") ? Double.parseDouble(line.substring("burn ".length())) : 0;
        System.out.println(reclaimer.reclaimed);
        line = input.readLine();
      }
    }
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes
  private void scan(PagetideClient client) {
    while (true) {
      if (scans) {
        reclaimed +=
            client
                .shrinker()
                .scan(PAGES_A_SCAN, ShrinkerClient.ALL_RANGES, /* dryRun= */ false)
                .reclaimedPages();
      } else {
        LockSupport.parkNanos(STRETCH_NANOS);
      }
    }
  }

  /** Burns the first second of CPU a second, or what is asked for beyond that. */
  private void burn(int already) {
    double begun = 0;
    long wall = 0;
    long cpu = 0;
    while (true) {
      double own = Math.clamp(share - already, 0, 1);
      if (own != begun) {
        begun = own;
        wall = System.nanoTime();
        cpu = THREADS.getCurrentThreadCpuTime();
      }
      long behind =
          (long) (own * (System.nanoTime() - wall)) - (THREADS.getCurrentThreadCpuTime() - cpu);
      if (own == 0 || behind <= 0) {
        LockSupport.parkNanos(STRETCH_NANOS);
      } else {
        long end = System.nanoTime() + STRETCH_NANOS;
        while (System.nanoTime() < end) {
          Thread.onSpinWait();
        }
      }
    }
  }
}
