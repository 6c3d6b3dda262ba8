package dev.pagetide.server;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;

/**
 * Opens sessions of 32 GiB while the heap has less room than the bits of their pages take, and
 * tells what is left of each; then one that is small enough.
 */
final class OpenWithoutMemory {
  static final int TIMES = 3;
  private static final long LARGE_BYTES = 32L << 30;
  private static final long SMALL_BYTES = 1L << 20;

  private final Peer peer = Peer.unix(1000, 1);
  private final PageBudget budget = PageBudget.root("--max-resident-bytes", 1 << 20);
  private final SessionRegistry sessions =
      new SessionRegistry(
          new SessionConfig(1, 1, 1 << 20, 1 << 20),
          new RangeConfig(PageFileMaker.MEMFD, LARGE_BYTES, 1),
          budget,
          new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE),
          InstantSource.system());

  private static final int BALLAST_BYTES = 64 << 10;

  /** Half of what the bits of the large range take. */
  private static final int LEFT_BYTES = 512 << 10;

  private final List<byte[]> ballast = new ArrayList<>();

  private OpenWithoutMemory() {}

  public static void main(String[] args) throws IOException {
    OpenWithoutMemory run = new OpenWithoutMemory();
    for (int i = 0; i < TIMES; i++) {
      run.open(LARGE_BYTES);
    }
    run.open(SMALL_BYTES);
  }

  private void open(long sizeBytes) throws IOException {
    String outcome;
    fillHeap();
    try {
      var session = sessions.open(peer, "one name for all", RangeMode.BUFFERS, sizeBytes);
      sessions.end(session, EndReason.CANCELLED);
      outcome = "opened";
    } catch (OutOfMemoryError e) {
      outcome = "out of memory";
    } finally {
      ballast.clear();
    }
    System.out.printf(
        "%s: charged=%d files=%d sessions=%d%n",
        outcome, budget.chargedPages(), files(), sessions.size());
  }

  private void fillHeap() {
    try {
      while (true) {
        ballast.add(new byte[BALLAST_BYTES]);
      }
    } catch (OutOfMemoryError e) {
      for (int freed = 0; freed < LEFT_BYTES; freed += BALLAST_BYTES) {
        ballast.removeLast();
      }
    }
  }

  private static long files() throws IOException {
    try (var links = Files.list(Path.of("/proc/self/fd"))) {
      return links.filter(OpenWithoutMemory::isRange).count();
    }
  }

  private static boolean isRange(Path link) {
    try {
      return Files.readSymbolicLink(link).toString().contains("pagetide-range");
    } catch (IOException e) {
      return false; // the descriptor that lists the others
    }
  }
}
