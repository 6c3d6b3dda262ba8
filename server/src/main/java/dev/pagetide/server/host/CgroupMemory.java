package dev.pagetide.server.host;

import dev.pagetide.server.budget.PageClock;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory of the control group in which this process runs and of those above it, in version 2
 * and version 1. The groups are those at the time when this was opened. The one that leaves least
 * counts.
 *
 * <p>Thread-safe.
 */
public final class CgroupMemory implements AutoCloseable {
  /**
   * How old limits may be. People change them by hand, and reading each of them costs a system
   * call.
   */
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
   * Opens the groups. On a host without control groups there are none.
   *
   * @param root where {@code proc} and {@code sys} are mounted: {@code /}, except in a test
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

  /** Those of its own group and the groups above it that have a memory controller; may be empty. */
  public List<GroupMemory> groups() {
    return groups;
  }

  /** The lowest limit at which the kernel kills, or {@link Long#MAX_VALUE} if none is set. */
  public long limitBytes() {
    long lowest = Long.MAX_VALUE;
    for (GroupMemory group : groups) {
      lowest = Math.min(lowest, group.limitBytes());
    }
    return lowest;
  }

  /**
   * The lowest limit of either kind: as {@link #limitBytes}, but {@code memory.high} counts, too.
   */
  public long lowestLimitBytes() {
    long lowest = Long.MAX_VALUE;
    for (GroupMemory group : groups) {
      lowest = Math.min(lowest, group.lowestLimitBytes());
    }
    return lowest;
  }

  /** Whether a limit is set for this process; {@code memory.high} counts, too. */
  public boolean isLimited() {
    return lowestLimitBytes() < Long.MAX_VALUE;
  }

  /**
   * Reads the limits again if the last reading is older than 100 ms. If a group cannot be read, it
   * keeps the limits that it had, and the others are read nevertheless.
   */
  public void refreshLimits() {
    // RACE: two threads may both read the limits; they read the same.
    long now = clock.nanos();
    if (now - refreshedNanos < LIMITS_AGE_NANOS) {
      return;
    }
    refreshedNanos = now;
    for (GroupMemory group : groups) {
      try {
        group.refreshLimits();
      } catch (IOException e) {
        // The group was removed. A caller that reads its use gets the same failure.
      }
    }
  }

  @Override
  public void close() {
    groups.forEach(GroupMemory::close);
  }
}
