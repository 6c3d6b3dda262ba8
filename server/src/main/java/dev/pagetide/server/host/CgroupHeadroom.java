package dev.pagetide.server.host;

import dev.pagetide.server.budget.HostHeadroom;
import java.io.IOException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The edge that is a control group's limit, {@code memory.max} or {@code memory.high}: of this
 * process's group and those above it the one that leaves least, its working set subtracted and the
 * reserve kept.
 *
 * <p>Costs a system call a group with a limit, none where there is no limit; near the edge one
 * more, dearer, to tell page cache from memory that stays. Thread-safe.
 */
public final class CgroupHeadroom implements HostHeadroom {
  private final CgroupMemory memory;
  private final long reserveBytes;
  private final int pageSize;
  private final long enoughBytes;

  /**
   * The edge of some groups; they stay open as long as it is asked.
   *
   * @param reserveBytes what is kept free below the limit: {@code --memory-reserve}
   * @param enoughBytes the most that somebody asks for at once: with that much room left nobody
   *     needs to know how much of the rest is page cache
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
      return null; // this process was moved and its old group removed: that limits nothing any more
    }
  }
}
