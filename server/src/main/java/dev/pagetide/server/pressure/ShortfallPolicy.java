package dev.pagetide.server.pressure;

/**
 * Decides how many bytes to reclaim for a reading that tells how much memory is missing. It does no
 * I/O: the caller passes the readings.
 *
 * <p>A reading is the number of bytes by which the use exceeds a mark. Reclaim begins when the mark
 * is exceeded, and ends half a reserve on the good side of it, as kswapd does between its
 * watermarks. Each level begins where it is named below, and ends half a reserve before that. That
 * half is at least {@link #LEAST_SLACK_BYTES}, also with {@code --memory-reserve=0}.
 */
final class ShortfallPolicy {
  /**
   * As much as one batch of reclaim. Even a steady working set varies, because the kernel charges a
   * group in units of 256 KiB for each processor.
   */
  static final long LEAST_SLACK_BYTES = 4L << 20;

  private final long mediumFromBytes;
  private final long criticalFromBytes;

  /** How far on the good side of its beginning an episode ends, so that it does not flutter. */
  private final long slackBytes;

  private PressureLevel level = PressureLevel.NONE;

  private ShortfallPolicy(long mediumFromBytes, long criticalFromBytes, long reserveBytes) {
    this.mediumFromBytes = mediumFromBytes;
    this.criticalFromBytes = criticalFromBytes;
    this.slackBytes = Math.max(reserveBytes / 2, LEAST_SLACK_BYTES);
  }

  /**
   * For a control group, whose mark lies one and a half reserves below its limit. MEDIUM begins
   * when the use reaches into the reserve (from there on the server gives no new memory), CRITICAL
   * when half of the reserve is gone.
   */
  static ShortfallPolicy ofGroup(long reserveBytes) {
    return new ShortfallPolicy(reserveBytes / 2, reserveBytes, reserveBytes);
  }

  /**
   * For the machine, whose mark is the reserve itself. MEDIUM begins when half of the reserve is
   * gone, CRITICAL when three quarters are.
   */
  static ShortfallPolicy ofMachine(long reserveBytes) {
    return new ShortfallPolicy(reserveBytes / 2, reserveBytes - reserveBytes / 4, reserveBytes);
  }

  /**
   * The mark of a control group: half a reserve before the point where the headroom ends, which
   * lies one reserve below the limit.
   *
   * @param limitBytes where the kernel kills, or slows the group down, whichever is lower
   * @return {@link Long#MAX_VALUE} if the group has no limit
   */
  static long groupMarkBytes(long limitBytes, long reserveBytes) {
    return limitBytes == Long.MAX_VALUE ? limitBytes : limitBytes - reserveBytes - reserveBytes / 2;
  }

  /** The level at the last reading. */
  PressureLevel level() {
    return level;
  }

  /** The reading at which an episode ends. Only readings above it need to be exact. */
  long endsAtBytes() {
    return -slackBytes;
  }

  /**
   * Takes a reading.
   *
   * @param passedBytes by how much the mark is exceeded; negative on its good side
   * @return bytes to reclaim now; 0 for none
   */
  long read(long passedBytes) {
    PressureLevel entered = levelAt(passedBytes);
    PressureLevel held = levelAt(passedBytes + slackBytes);
    if (entered.compareTo(level) > 0) {
      level = entered;
    } else if (held.compareTo(level) < 0) {
      level = held;
    }
    return level == PressureLevel.NONE ? 0 : passedBytes + slackBytes;
  }

  private PressureLevel levelAt(long passedBytes) {
    if (passedBytes > criticalFromBytes) {
      return PressureLevel.CRITICAL;
    }
    if (passedBytes > mediumFromBytes) {
      return PressureLevel.MEDIUM;
    }
    return passedBytes > 0 ? PressureLevel.LOW : PressureLevel.NONE;
  }
}
