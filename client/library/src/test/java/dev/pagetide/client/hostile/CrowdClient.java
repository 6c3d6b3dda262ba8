package dev.pagetide.client.hostile;

import dev.pagetide.client.AccessMode;
import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.ErrorReason;
import dev.pagetide.client.FreshPages;
import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.PagetideException;
import dev.pagetide.client.StatusCode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A process of {@link CrowdedBudgetTest}: eight threads, half of them on a mapped range and half on
 * a remote one, each with pages of its own. Answers each line it is told with a {@link Tally}.
 */
final class CrowdClient {
  static final int THREADS = 8;
  static final int PAGES_PER_THREAD = 64;

  /** A mapped range with half of the threads, and a remote one with the others. */
  static final int RANGES = 2;

  static final int PAGES_PER_RANGE = THREADS / RANGES * PAGES_PER_THREAD;

  /** A mapped member takes that many steps in the time of one over the wire. */
  private static final int MAPPED_STEPS = 4;

  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(30);

  /** What this process was told to do. */
  enum Command {
    /** Use, check, write and stop at random, so many steps, and stop everything. */
    RUN,
    /** Use everything, and stop nothing. */
    HOARD,
    /** Stop everything. */
    RELEASE
  }

  /**
   * What all threads of a process did.
   *
   * @param used uses that were granted
   * @param refused uses that were refused as they are to be: no memory, and a word about it
   */
  record Tally(long used, long refused) {
    static final Tally NONE = new Tally(0, 0);

    /** As told on a line. */
    static Tally parse(String line) {
      String[] parts = line.split(" ", -1);
      if (parts.length != 3 || !parts[0].equals("done")) {
        throw new AssertionError("a client failed: " + line);
      }
      return new Tally(Long.parseLong(parts[1]), Long.parseLong(parts[2]));
    }

    Tally plus(Tally other) {
      return new Tally(used + other.used, refused + other.refused);
    }

    String line() {
      return "done " + used + " " + refused;
    }
  }

  private CrowdClient() {}

  /** Arguments: the server's directory, and a seed. */
  public static void main(String[] args) throws Exception {
    Path directory = Path.of(args[0]);
    long seed = Long.parseLong(args[1]);
    ClientOptions options = ClientOptions.DEFAULT.withCallTimeout(CALL_TIMEOUT);
    try (BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        PagetideClient shared =
            PagetideClient.connect(directory, options.withAccess(AccessMode.SHARED));
        PagetideClient remote =
            PagetideClient.connect(directory, options.withAccess(AccessMode.REMOTE));
        PageRange mapped = shared.open(OpenOptions.ofSize(PAGES_PER_RANGE * 4096L));
        PageRange unmapped = remote.open(OpenOptions.ofSize(PAGES_PER_RANGE * 4096L))) {
      List<CrowdMember> members = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        PageRange range = i % RANGES == 0 ? mapped : unmapped;
        members.add(new CrowdMember(range, i / RANGES * PAGES_PER_THREAD, seed + i));
      }
      System.out.println("open");
      String line = input.readLine();
      while (line != null) {
        System.out.println(answer(line, members, threads));
        line = input.readLine();
      }
    }
  }

  private static String answer(String line, List<CrowdMember> members, ExecutorService threads)
      throws IOException, InterruptedException {
    String[] words = line.split(" ", -1);
    try {
      return switch (Command.valueOf(words[0])) {
        case RUN -> {
          long steps = Long.parseLong(words[1]);
          LongUnaryOperator ofMember = index -> index % RANGES == 0 ? steps * MAPPED_STEPS : steps;
          yield all(members, threads, (member, index) -> member.run(ofMember.applyAsLong(index)));
        }
        case HOARD -> all(members, threads, (member, _) -> member.hoard());
        case RELEASE -> all(members, threads, (member, _) -> member.release());
      };
    } catch (ExecutionException e) {
      return "failed " + e.getCause();
    }
  }

  @FunctionalInterface
  private interface Deed {
    Tally done(CrowdMember member, int index);
  }

  private static String all(List<CrowdMember> members, ExecutorService threads, Deed deed)
      throws InterruptedException, ExecutionException {
    List<Callable<Tally>> deeds = new ArrayList<>();
    for (int i = 0; i < members.size(); i++) {
      int index = i;
      deeds.add(() -> deed.done(members.get(index), index));
    }
    Tally sum = Tally.NONE;
    for (Future<Tally> tally : threads.invokeAll(deeds)) {
      sum = sum.plus(tally.get());
    }
    return sum.line();
  }

  /**
   * Uses pages, or is refused as one has to be: typed, with a reason, and before the deadline.
   *
   * @return the fresh pages; null if refused. Anything else is thrown
   */
  static @Nullable FreshPages useOrBeRefused(PageRange range, int startPage, int endPage) {
    try {
      return range.useRange(startPage, endPage);
    } catch (PagetideException e) {
      if (e.code() == StatusCode.RESOURCE_EXHAUSTED
          && e.reason().orElse(null) == ErrorReason.NO_MEMORY
          && !e.outcomeUnknown()) {
        return null;
      }
      throw e;
    }
  }
}
