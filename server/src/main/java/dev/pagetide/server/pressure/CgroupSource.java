package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.host.CgroupMemory;
import dev.pagetide.server.host.GroupMemory;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Compares the working sets of this process's control groups with their marks. The group that is
 * furthest above its mark counts.
 */
final class CgroupSource implements PressureSource {
  /**
   * The period if there is a limit, because then the kernel may kill. If a process takes 50 MiB a
   * second, the source notices it after 1.25 MiB. A reading costs one system call for each group.
   */
  private static final Duration LIMITED_PERIOD = Duration.ofMillis(25);

  /** The period if there is no limit: then the source only checks whether one was set. */
  private static final Duration UNLIMITED_PERIOD = Duration.ofMillis(250);

  private final CgroupMemory memory;
  private final long reserveBytes;
  private final int pageSize;
  private final ShortfallPolicy policy;
  private @Nullable IOException trouble;

  /** A source over groups that the caller closes. */
  CgroupSource(CgroupMemory memory, long reserveBytes, int pageSize) {
    this.memory = memory;
    this.reserveBytes = reserveBytes;
    this.pageSize = pageSize;
    this.policy = ShortfallPolicy.ofGroup(reserveBytes);
  }

  @Override
  public PressureKind kind() {
    return PressureKind.CGROUP;
  }

  @Override
  public long periodNanos() {
    return (memory.isLimited() ? LIMITED_PERIOD : UNLIMITED_PERIOD).toNanos();
  }

  @Override
  public @Nullable PressureDecision ask(long nowNanos, Set<StallTrigger> fired) throws IOException {
    memory.refreshLimits();
    trouble = null;
    long furthest = Long.MIN_VALUE;
    int silent = 0;
    for (GroupMemory group : memory.groups()) {
      try {
        furthest = Math.max(furthest, passedBytes(group));
      } catch (IOException e) {
        // The group was removed and limits nothing any more; the others still do.
        trouble = e;
        silent++;
      }
    }
    IOException last = trouble;
    if (last != null && silent == memory.groups().size()) {
      throw last;
    }
    long missing = policy.read(furthest);
    return missing == 0
        ? null
        : new PressureDecision(
            ReclaimTrigger.CGROUP, policy.level(), Math.ceilDiv(missing, (long) pageSize));
  }

  private long passedBytes(GroupMemory group) throws IOException {
    long mark = ShortfallPolicy.groupMarkBytes(group.lowestLimitBytes(), reserveBytes);
    if (mark == Long.MAX_VALUE) {
      return Long.MIN_VALUE;
    }
    long used = group.useBytes();
    // The working set is never larger than the use. If the use is below the mark, it is, too.
    return used - mark <= policy.endsAtBytes() ? used - mark : group.workingSetBytes(used) - mark;
  }

  @Override
  public @Nullable IOException trouble() {
    return trouble;
  }

  @Override
  public PressureLevel level() {
    return policy.level();
  }

  @Override
  public void close() {
    // The code that opened the groups closes them.
  }
}
