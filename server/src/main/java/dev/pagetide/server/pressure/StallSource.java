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
 * Stalls, as the kernel's PSI tells them: by triggers, and by totals that are read between them.
 *
 * <p>The file is that of the process's own control group; where that has none, the whole machine's.
 * It may come and go: an operator switches the stalls of a group off and on by {@code
 * cgroup.pressure}. So it is looked for as long as there is no better one armed.
 */
final class StallSource implements PressureSource {
  /** Eight samples a window: the stall of "the last window" is right to an eighth. */
  private static final Duration PERIOD = Duration.ofMillis(250);

  /** How long until a file is looked for again: that reads two small files of {@code /proc}. */
  static final long SEARCH_NANOS = Duration.ofSeconds(5).toNanos();

  private final Path root;
  private final KernelEvents events;
  private final LongSupplier availablePages;
  private StallPolicy policy = new StallPolicy();

  /** The file that is armed; null: none is. */
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
   * Looks for a PSI file and arms the triggers on it; their numbers among {@code events} follow
   * {@link StallTrigger#MILDEST_FIRST}. Where that cannot be done now, it may be later.
   *
   * @param root where {@code proc} and {@code sys} are mounted
   */
  static StallSource find(
      Path root, KernelEvents events, LongSupplier availablePages, long nowNanos) {
    StallSource source = new StallSource(root, events, availablePages, nowNanos);
    source.search(nowNanos);
    return source;
  }

  /** Arms the best file there is, unless it is armed already. */
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

  /** The group's own stalls, then the whole machine's. */
  private List<Path> files(List<String> refusals) {
    List<Path> files = new ArrayList<>();
    try {
      for (ControlGroup group : ControlGroup.ofThisProcess(root)) {
        if (group.version() == ControlGroup.Version.V2) {
          files.add(group.pressureFile());
          break; // its own is the first; those above it are not only its
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
      // Read before it is armed: a kernel with PSI switched off opens the file and fails to read
      // it.
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
    policy = new StallPolicy(); // the totals of another file do not go on from the last one's
  }

  /** The file that was armed tells nothing any more: another one is looked for, at once. */
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
