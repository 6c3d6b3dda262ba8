package dev.pagetide.server.pressure;

import dev.pagetide.server.host.ControlGroup;
import dev.pagetide.server.os.KernelEvents;
import dev.pagetide.server.os.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Reads stalls from the kernel's PSI: by triggers, and by totals that are read between them.
 *
 * <p>The file is that of the process's own control group. If the group has none, it is that of the
 * whole machine. The file may come and go, because an operator can switch PSI of a group off and on
 * by {@code cgroup.pressure}. So the source looks for the group's own file until that is armed.
 */
final class StallSource implements PressureSource {
  /** Eight samples in a window, so the stall of "the last window" is exact to an eighth. */
  private static final Duration PERIOD = Duration.ofMillis(250);

  /** The time between two searches for a file. A search reads two small files of {@code /proc}. */
  static final long SEARCH_NANOS = Duration.ofSeconds(5).toNanos();

  private final Path root;
  private final KernelEvents events;
  private final LongSupplier availablePages;
  private StallPolicy policy = new StallPolicy();

  /** The file that is armed; null if none is. */
  private @Nullable KernelFile totals;

  private @Nullable String missing;
  private long searchNanos;

  private StallSource(Path root, KernelEvents events, LongSupplier availablePages, long nowNanos) {
    this.root = root;
    this.events = events;
    this.availablePages = availablePages;
    this.searchNanos = nowNanos;
  }

  /**
   * Looks for a PSI file and arms the triggers on it. Their numbers among {@code events} follow
   * {@link StallTrigger#MILDEST_FIRST}. If this is not possible now, it may be possible later.
   *
   * @param root where {@code proc} and {@code sys} are mounted
   */
  static StallSource find(
      Path root, KernelEvents events, LongSupplier availablePages, long nowNanos) {
    StallSource source = new StallSource(root, events, availablePages, nowNanos);
    source.search(nowNanos);
    return source;
  }

  /** Arms the best file that there is, unless it is armed already. */
  private void search(long nowNanos) {
    searchNanos = nowNanos + SEARCH_NANOS;
    List<String> refusals = new ArrayList<>();
    for (Path file : files(refusals)) {
      KernelFile armed = totals;
      if (armed != null && armed.path().equals(file)) {
        return;
      }
      if (!Files.exists(file)) {
        refusals.add("there is no " + file);
        continue;
      }
      try {
        arm(file);
        return;
      } catch (IOException e) {
        refusals.add(file + " cannot be armed (" + e.getMessage() + ")");
      }
    }
    if (totals == null) {
      missing = String.join("; ", refusals);
    }
  }

  /** The files to try: that of the group itself, then that of the whole machine. */
  private List<Path> files(List<String> refusals) {
    List<Path> files = new ArrayList<>();
    try {
      for (ControlGroup group : ControlGroup.ofThisProcess(root)) {
        if (group.version() == ControlGroup.Version.V2) {
          files.add(group.pressureFile());
          break; // the first is its own group; those above also count other processes
        }
      }
    } catch (IOException e) {
      refusals.add(String.valueOf(e.getMessage()));
    }
    files.add(root.resolve("proc/pressure/memory"));
    return files;
  }

  private void arm(Path file) throws IOException {
    KernelFile opened = KernelFile.open(file);
    boolean armed = false;
    try {
      // Read it before arming: if PSI is switched off, the kernel lets us open the file, but
      // reading it fails.
      var _ = StallTotals.parse(opened.text());
      events.armAll(file, StallTrigger.MILDEST_FIRST.stream().map(StallTrigger::text).toList());
      armed = true;
    } finally {
      if (!armed) {
        opened.close();
      }
    }
    close();
    totals = opened;
    missing = null;
    policy = new StallPolicy(); // the totals of another file do not continue those of the last one
  }

  /** The armed file tells nothing any more. The source looks for another file at once. */
  private void lose(String why) {
    close();
    events.disarmAll();
    policy = new StallPolicy();
    missing = why;
  }

  @Override
  public PressureKind kind() {
    return PressureKind.PSI;
  }

  @Override
  public long periodNanos() {
    return PERIOD.toNanos();
  }

  @Override
  public @Nullable PressureDecision ask(long nowNanos, Set<StallTrigger> fired) throws IOException {
    boolean lost = events.hasLost();
    if (lost) {
      lose("the kernel has taken its triggers away");
    }
    if (lost || searchNanos - nowNanos <= 0) {
      search(nowNanos);
    }
    KernelFile armed = totals;
    if (armed == null) {
      return null;
    }
    StallTotals now;
    try {
      now = StallTotals.parse(armed.text());
    } catch (IOException e) {
      lose(String.valueOf(e.getMessage()));
      searchNanos = nowNanos;
      throw e;
    }
    policy.sample(nowNanos, now);
    return fired.isEmpty() ? null : policy.fired(nowNanos, fired, availablePages);
  }

  @Override
  public @Nullable String missing() {
    return missing;
  }

  @Override
  public PressureLevel level() {
    return policy.level();
  }

  @Override
  public void close() {
    KernelFile open = totals;
    totals = null;
    if (open != null) {
      open.close();
    }
  }
}
