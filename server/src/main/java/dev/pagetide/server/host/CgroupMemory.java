package dev.pagetide.server.host;

import dev.pagetide.server.budget.PageClock;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory of the control group this process runs in and of those above it, as they were when
 * this was opened, in version 2 and version 1: whichever leaves least is what counts.
 *
 * <p>Thread-safe.
 */
public final class CgroupMemory implements AutoCloseable {
  /** How old limits may be: they are changed by hand, and each costs a system call to read. */
  private static final long LIMITS_AGE_NANOS = Duration.ofMillis(100).toNanos();

  private final List<GroupMemory> groups;
  private final PageClock clock;
  private volatile long refreshedNanos;

  private CgroupMemory(List<GroupMemory> groups, PageClock clock) {
    this.groups = List.copyOf(groups);
    this.clock = clock;
    this.refreshedNanos = clock.nanos();
  }

  /**
   * Opens the groups; on a host without control groups there are none.
   *
   * @param root where {@code proc} and {@code sys} are mounted: {@code /}, but for a test
   */
  public static CgroupMemory open(Path root, PageClock clock) throws IOException {
    List<GroupMemory> opened = new ArrayList<>();
    boolean complete = false;
    try {
      for (ControlGroup group : ControlGroup.ofThisProcess(root)) {
        GroupMemory memory = GroupMemory.open(group);
        if (memory != null) {
          opened.add(memory);
        }
      }
      complete = true;
      return new CgroupMemory(opened, clock);
    } finally {
      if (!complete) {
        opened.forEach(GroupMemory::close);
      }
    }
  }

  /** Own group and those above it that have a memory controller; empty where there is none. */
  public List<GroupMemory> groups() {
    return groups;
  }

  /** The lowest limit at which the kernel kills, or {@link Long#MAX_VALUE} where none is set. */
  public long limitBytes() {
    long lowest = Long.MAX_VALUE;
    for (GroupMemory group : groups) {
      lowest = Math.min(lowest, group.limitBytes());
    }
    return lowest;
  }

  /** The lowest limit of either kind: as {@link #limitBytes}, and {@code memory.high} counts. */
  public long lowestLimitBytes() {
    long lowest = Long.MAX_VALUE;
    for (GroupMemory group : groups) {
      lowest = Math.min(lowest, group.lowestLimitBytes());
    }
    return lowest;
  }

  /** Whether anything limits this process: {@code memory.high} counts. */
  public boolean isLimited() {
    return lowestLimitBytes() < Long.MAX_VALUE;
  }

  /**
   * Reads the limits again if the last reading is older than 100 ms. A group that cannot be read
   * keeps the limits it had, and the others are read all the same.
   */
  public void refreshLimits() {
    // RACE: two threads may both read them; they read the same.
    long now = clock.nanos();
    if (now - refreshedNanos < LIMITS_AGE_NANOS) {
      return;
    }
    refreshedNanos = now;
    for (GroupMemory group : groups) {
      try {
        group.refreshLimits();
      } catch (IOException e) {
        // It was removed. A caller that reads its use gets the same failure.
      }
    }
  }

  @Override
  public void close() {
    groups.forEach(GroupMemory::close);
  }
}
