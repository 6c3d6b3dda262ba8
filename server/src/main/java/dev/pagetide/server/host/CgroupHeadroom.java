package dev.pagetide.server.host;

import dev.pagetide.server.budget.HostHeadroom;
import java.io.IOException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The headroom below a control group's limit, {@code memory.max} or {@code memory.high}: the limit
 * less the working set and less the reserve. Of this process's group and those above it, the one
 * that leaves least counts.
 *
 * <p>A call costs one system call for each group with a limit, and none if there is no limit. If
 * little headroom is left, it costs one more expensive call, which separates page cache from memory
 * that stays. Thread-safe.
 */
public final class CgroupHeadroom implements HostHeadroom {
  private final CgroupMemory memory;
  private final long reserveBytes;
  private final int pageSize;
  private final long enoughBytes;

  /**
   * The headroom of some groups. The groups must stay open for as long as this is in use.
   *
   * @param reserveBytes bytes to keep free below the limit: {@code --memory-reserve}
   * @param enoughBytes the most bytes that a caller asks for at once. If that much room is left, no
   *     caller needs to know how much of the use is page cache
   */
  public CgroupHeadroom(CgroupMemory memory, long reserveBytes, int pageSize, long enoughBytes) {
    this.memory = memory;
    this.reserveBytes = reserveBytes;
    this.pageSize = pageSize;
    this.enoughBytes = enoughBytes;
  }

  /** One group's numbers at one moment. */
  private record Reading(long usedBytes, long limitBytes, boolean isHigh, long roomBytes) {}

  @Override
  public long roomPages() {
    Reading tightest = tightest();
    return tightest == null ? Long.MAX_VALUE : Math.floorDiv(tightest.roomBytes(), (long) pageSize);
  }

  @Override
  public String describe() {
    Reading tightest = tightest();
    return tightest == null
        ? HostHeadroom.NONE.describe()
        : String.format(
            Locale.ROOT,
            "control group in use %s of %s%s, --memory-reserve=%s",
            mib(tightest.usedBytes()),
            tightest.isHigh() ? "memory.high=" : "",
            mib(tightest.limitBytes()),
            mib(reserveBytes));
  }

  private static String mib(long bytes) {
    return (bytes >> 20) + " MiB";
  }

  private @Nullable Reading tightest() {
    memory.refreshLimits();
    Reading tightest = null;
    for (GroupMemory group : memory.groups()) {
      Reading reading = reading(group);
      if (reading != null && (tightest == null || reading.roomBytes() < tightest.roomBytes())) {
        tightest = reading;
      }
    }
    return tightest;
  }

  private @Nullable Reading reading(GroupMemory group) {
    long limit = group.lowestLimitBytes();
    if (limit == Long.MAX_VALUE) {
      return null;
    }
    try {
      long used = group.useBytes();
      if (limit - reserveBytes - used < enoughBytes) {
        used = group.workingSetBytes(used);
      }
      return new Reading(used, limit, group.isHighLowest(), limit - reserveBytes - used);
    } catch (IOException e) {
      return null; // this process was moved, and its old group was removed: it limits nothing now
    }
  }
}
