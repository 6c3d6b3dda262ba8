package dev.pagetide.server.config;

import dev.pagetide.server.config.OptionValues.Bound;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.shm.SharedFileLayout;

/**
 * The options that divide memory, checked against each other and against the host's limits.
 */
record MemoryOptions(ServerOptions.Memory memory, ServerOptions.Reclaim reclaim) {
  private static final long DEFAULT_RANGE_BYTES = 4L << 20;

  /**
   * By default the high watermark lies a sixteenth of the budget below the budget, and the low one
   * another sixteenth below that. So a round of background reclaim takes enough pages to be worth
   * its walk. The reserve is a sixteenth of the memory.
   */
  private static final int SIXTEENTH = 16;

  /**
   * Reads the options: first a limit, then the limits below it, and last the comparisons.
   *
   * @param oneUid whether only clients of one uid can connect
   */
  static MemoryOptions read(OptionValues values, HostLimits host, boolean oneUid) {
    Bound smallestRange =
        new Bound(
            SharedFileLayout.of(host.pageSize(), 1).sizeBytes(),
            "what a range of one page takes (header, table, page)");
    Bound memory = new Bound(host.memoryBytes(), "the memory this process may have");
    long reserve =
        values.bytes(
            ServerOption.MEMORY_RESERVE,
            host.memoryBytes() / SIXTEENTH,
            new Bound(0, "nothing at all"),
            memory);
    long total =
        values.bytes(
            ServerOption.MAX_RESIDENT_BYTES,
            Math.max(smallestRange.value(), defaultBudget(host, reserve)),
            smallestRange,
            memory);
    Bound budget = new Bound(total, "which is --max-resident-bytes");
    long perUid =
        values.bytes(
            ServerOption.MAX_RESIDENT_BYTES_PER_UID,
            oneUid ? total : Math.max(smallestRange.value(), total / 2),
            smallestRange,
            budget);
    long perSession =
        values.bytes(
            ServerOption.MAX_RESIDENT_BYTES_PER_SESSION,
            perUid,
            smallestRange,
            new Bound(perUid, "which is --max-resident-bytes-per-uid"));
    long high =
        values.bytes(
            ServerOption.HIGH_WATERMARK, total - total / SIXTEENTH, new Bound(1, "a byte"), budget);
    long low =
        values.bytes(
            ServerOption.LOW_WATERMARK,
            Math.max(0, high - total / SIXTEENTH),
            new Bound(0, "nothing at all"),
            budget);
    MemoryOptions options =
        new MemoryOptions(
            new ServerOptions.Memory(
                total,
                perUid,
                perSession,
                rangeBytes(values, host),
                reserve,
                values.upToAMinute(ServerOption.ALLOCATION_WAIT)),
            new ServerOptions.Reclaim(low, high, values.upToAMinute(ServerOption.PROTECT_RECENT)));
    options.compare(values, host);
    return options;
  }

  /** Compares only values that are good by themselves, because the others are reported already. */
  private void compare(OptionValues values, HostLimits host) {
    boolean budgetIsGood = values.areGood(ServerOption.MAX_RESIDENT_BYTES);
    boolean bothMarksGiven =
        values.given(ServerOption.LOW_WATERMARK) != null
            && values.given(ServerOption.HIGH_WATERMARK) != null;
    if (values.areGood(ServerOption.LOW_WATERMARK, ServerOption.HIGH_WATERMARK)
        && (budgetIsGood || bothMarksGiven)) {
      checkWatermarks(values);
    }
    if (budgetIsGood && values.areGood(ServerOption.MAX_RANGE_BYTES)) {
      checkRange(values, host);
    }
    if (budgetIsGood && values.areGood(ServerOption.MEMORY_RESERVE)) {
      checkGroup(values, host);
    }
  }

  private static long rangeBytes(OptionValues values, HostLimits host) {
    return values.bytes(
        ServerOption.MAX_RANGE_BYTES,
        DEFAULT_RANGE_BYTES,
        new Bound(host.pageSize(), "the size of a page"),
        new Bound(
            (long) SharedFileLayout.MAX_PAGE_COUNT * host.pageSize(),
            "the most that a shared file can have"));
  }

  /** A quarter of the memory, or less if heap and reserve leave less of a control group's limit. */
  private static long defaultBudget(HostLimits host, long reserveBytes) {
    long quarter = host.memoryBytes() / 4;
    return host.groupLimitBytes() == Long.MAX_VALUE
        ? quarter
        : Math.min(quarter, host.groupLimitBytes() - host.maxHeapBytes() - reserveBytes);
  }

  private void checkWatermarks(OptionValues values) {
    long low = reclaim.lowWatermarkBytes();
    long high = reclaim.highWatermarkBytes();
    if (low >= high) {
      values.refuse(
          ServerOption.LOW_WATERMARK,
          low,
          "watermarks crossed: %d is not below %d, which is %s; give --low-watermark less than"
              + " --high-watermark, and that at most --max-resident-bytes (%d)",
          low,
          high,
          values.shown(ServerOption.HIGH_WATERMARK, high),
          memory.budgetBytes());
    }
  }

  /**
   * An operator that gives a size of ranges wants a range of that size to fit. The default is only
   * a limit.
   */
  private void checkRange(OptionValues values, HostLimits host) {
    if (values.given(ServerOption.MAX_RANGE_BYTES) == null) {
      return;
    }
    int pages = Math.toIntExact(memory.rangeBytes() / host.pageSize());
    long wholeBytes = SharedFileLayout.of(host.pageSize(), pages).sizeBytes();
    if (wholeBytes <= memory.budgetBytes()) {
      return;
    }
    values.refuse(
        ServerOption.MAX_RESIDENT_BYTES,
        memory.budgetBytes(),
        "budget under one range: %d is below %d, what a range of %s takes (header, table, pages);"
            + " give at least %d, or a smaller range",
        memory.budgetBytes(),
        wholeBytes,
        values.shown(ServerOption.MAX_RANGE_BYTES, memory.rangeBytes()),
        wholeBytes);
  }

  /** At a group's limit the kernel refuses nothing but kills, so the limit must be out of reach. */
  private void checkGroup(OptionValues values, HostLimits host) {
    long limit = host.groupLimitBytes();
    long budget = memory.budgetBytes();
    long reserve = memory.reserveBytes();
    if (limit != Long.MAX_VALUE && budget > limit - reserve - host.maxHeapBytes()) {
      values.refuse(
          ServerOption.MAX_RESIDENT_BYTES,
          budget,
          "budget %d + maximum heap %d + reserve %d (%s) are above the control group's limit of %d,"
              + " where the kernel kills; lower the budget, the heap (PAGETIDE_JAVA_OPTS=-Xmx...)"
              + " or the reserve, or raise the limit",
          budget,
          host.maxHeapBytes(),
          reserve,
          values.shown(ServerOption.MEMORY_RESERVE, reserve),
          limit);
    }
  }
}
