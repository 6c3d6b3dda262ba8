package dev.pagetide.client.hostile;

import static dev.pagetide.client.hostile.SystemCalls.check;

import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.UseRangeRequest;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;

/**
 * A process that works on its own pages every four milliseconds, in one of two ways. Honest: it
 * stops them, flips them a few times, and has the server use what was reclaimed. Hostile: it makes
 * as many writes to the table, touches as many pages and makes as many calls, none of them as it
 * may.
 *
 * <p>{@code go} on standard input has it begin, {@code stop} pause and say how many rounds it made.
 */
final class Neighbour {
  private static final long ROUND_NANOS = 4_000_000;
  private static final int FLIPS = 4;
  private static final int PAGES = 256;
  private static final int MOST_TAKEN = PageEdges.MAX_PAGES;

  private final RawClient client;
  private final boolean isHostile;
  private final SharedFileLayout layout;
  private final int descriptor;
  private final MemorySegment file;
  private final PageTable table;
  private final Random random = new Random(1);
  private volatile boolean works;
  private volatile long rounds;

  private Neighbour(RawClient client, boolean isHostile) throws InterruptedException {
    this.client = client;
    this.isHostile = isHostile;
    client.sendOpen(PAGES * 4096L);
    client.awaitOpened();
    layout = client.layout();
    descriptor = client.fetchDescriptor();
    file = client.map(descriptor);
    table = new PageTable(file.asSlice(layout.tableOffset(), 8L * PAGES));
  }

  /**
   * Runs the process.
   *
   * @param args the directory of the server, and honest or hostile
   */
  public static void main(String[] args) throws Exception {
    try (RawClient client = new RawClient(Path.of(args[0]));
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      Neighbour neighbour = new Neighbour(client, args[1].equals("hostile"));
      Thread.ofPlatform().daemon().start(neighbour::work);
      System.out.println(args[1]);
      String line = input.readLine();
      while (line != null) {
        neighbour.works = line.equals("go");
        System.out.println(neighbour.rounds);
        line = input.readLine();
      }
    }
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes
  private void work() {
    long next = System.nanoTime();
    while (true) {
      if (works) {
        if (isHostile) {
          attack();
        } else {
          useAndStop();
        }
        rounds++;
      }
      next = Math.max(next + ROUND_NANOS, System.nanoTime());
      while (System.nanoTime() < next) {
        LockSupport.parkNanos(next - System.nanoTime());
      }
    }
  }

  private void useAndStop() {
    int start = random.nextInt(PAGES / MOST_TAKEN) * MOST_TAKEN;
    use(start);
    for (int flip = 0; flip < FLIPS; flip++) {
      long now = PageWord.available(System.nanoTime());
      int _ = PageEdges.toAvailable(table, start, start + MOST_TAKEN, now);
      long _ = PageEdges.toUsed(table, start, start + MOST_TAKEN);
    }
    for (int page = start; page < start + MOST_TAKEN; page++) {
      if (PageWord.state(table.wordAcquire(page)) == PageWord.USED) {
        file.set(ValueLayout.JAVA_BYTE, layout.pageOffset(page), (byte) 1);
      }
    }
    int _ =
        PageEdges.toAvailable(
            table, start, start + MOST_TAKEN, PageWord.available(System.nanoTime()));
  }

  private void attack() {
    int start = random.nextInt(PAGES / MOST_TAKEN) * MOST_TAKEN;
    use(start);
    for (int write = 0; write < 2 * FLIPS * MOST_TAKEN; write++) {
      long word = write % 2 == 0 ? random.nextLong() : PageWord.available(System.nanoTime());
      file.set(ValueLayout.JAVA_LONG, layout.tableOffset() + 8L * random.nextInt(PAGES), word);
    }
    for (int touch = 0; touch < MOST_TAKEN; touch++) {
      file.set(ValueLayout.JAVA_BYTE, layout.pageOffset(random.nextInt(PAGES)), (byte) 1);
    }
    check(
        SystemCalls.fallocate(
            descriptor,
            SystemCalls.FALLOC_PUNCH_HOLE | SystemCalls.FALLOC_KEEP_SIZE,
            layout.pageOffset(start),
            (long) MOST_TAKEN * layout.pageSize()));
  }

  private void use(int start) {
    try {
      var _ =
          client
              .stub()
              .useRange(
                  UseRangeRequest.newBuilder()
                      .setSession(client.opened().getSession())
                      .addPages(
                          PageSpan.newBuilder().setStartPage(start).setEndPage(start + MOST_TAKEN))
                      .build());
    } catch (StatusRuntimeException e) {
      // A table like this one's may have it refused.
    }
  }
}
