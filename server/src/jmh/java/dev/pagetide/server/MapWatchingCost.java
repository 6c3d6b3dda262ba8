package dev.pagetide.server;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.server.web.MapVisitor;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.v1.PageSpan;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What does one watcher of the tide map cost a server with 500 ranges of 1024 pages? Its processor
 * time over some seconds, of one core: with nobody watching, with one watching while all is quiet,
 * and with one watching while clients change ten ranges ten times a second, the same without the
 * watcher beside it.
 *
 * <p>Sketch: a round reads 512,000 words, 6 ms; the model rests 64 times as long as a round took.
 */
final class MapWatchingCost {
  private static final int RANGES = 500;
  private static final int PAGES = 1024;
  private static final int BUSY = 10;
  private static final int SECONDS = 20;

  private MapWatchingCost() {}

  public static void main(String[] args) throws Exception {
    JavaProcess.Launch fast = new JavaProcess.Launch(List.of(), List.of("-XX:TieredStopAtLevel=4"));
    try (TestServer server =
        TestServer.start(fast, "--max-resident-bytes=4GiB", "--max-resident-bytes-per-uid=4GiB")) {
      List<RawSession> sessions = new ArrayList<>();
      for (int i = 0; i < RANGES; i++) {
        RawSession session =
            RawSession.open(server.connect(), "range " + i, (long) PAGES * RawSession.PAGE);
        var _ = session.use(0, PAGES);
        session.stop(everyFourth(i % 4));
        sessions.add(session);
      }
      // The first seconds pay for the compiler.
      double _ = percent(server, sessions);
      System.out.printf("%d ranges of %d pages, %% of a core%n", RANGES, PAGES);
      System.out.printf("nobody watches, quiet      %6.2f%n", percent(server, List.of()));
      System.out.printf("nobody watches, changing   %6.2f%n", percent(server, sessions));
      URI here = URI.create(server.httpUrl());
      try (MapVisitor door = MapVisitor.get(here, "/?" + URI.create(server.mapUrl()).getQuery());
          MapVisitor watcher =
              MapVisitor.get(
                  here, "/events", "Cookie: " + door.header("set-cookie").split(";", -1)[0])) {
        AtomicLong frames = new AtomicLong();
        Thread reader = Thread.ofPlatform().daemon().start(() -> count(watcher, frames));
        double _ = percent(server, sessions);
        long framesBefore = frames.get();
        System.out.printf("one watches, quiet         %6.2f%n", percent(server, List.of()));
        System.out.printf("one watches, changing      %6.2f%n", percent(server, sessions));
        System.out.printf(
            "frames a second            %6.2f%n", (frames.get() - framesBefore) / (2.0 * SECONDS));
        reader.interrupt();
      }
    }
  }

  private static void count(MapVisitor watcher, AtomicLong frames) {
    try {
      while (!watcher.next("data: ").isEmpty()) {
        frames.incrementAndGet();
      }
    } catch (IOException e) {
      // The server has ended.
    }
  }

  private static List<PageSpan> everyFourth(int first) {
    List<PageSpan> spans = new ArrayList<>();
    for (int page = first; page < PAGES; page += 4) {
      spans.add(RawSession.span(page, page + 1));
    }
    return spans;
  }

  private static double percent(TestServer server, List<RawSession> changing)
      throws IOException, InterruptedException {
    long before = ticks(server);
    long start = System.nanoTime();
    for (int round = 0; round < SECONDS * 10; round++) {
      for (int i = 0; i < Math.min(BUSY, changing.size()); i++) {
        RawSession session = changing.get((round * BUSY + i) % changing.size());
        var _ = session.use(0, PAGES / 2);
        session.stop(everyFourth(round % 4));
      }
      long due = start + TimeUnit.MILLISECONDS.toNanos(100L * (round + 1));
      TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    return (ticks(server) - before) / seconds; // 100 ticks a second, and per cent
  }

  /** Processor time of the server's process so far, in clock ticks of 10 ms. */
  private static long ticks(TestServer server) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + server.process().pid() + "/stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
  }
}
