package dev.pagetide.server.pressure;

/**
 * How many bytes a reading is worth that tells how much is missing. Pure: readings come in.
 *
 * <p>A reading is how far a mark is passed. Reclaim begins when it is passed and ends half a
 * reserve on its good side, as kswapd does between its watermarks; each level is entered where it
 * is named below, and left half a reserve before that. That half is {@link #LEAST_SLACK_BYTES} at
 * the least, also with {@code --memory-reserve=0}.
 */
final class ShortfallPolicy {
  /**
   * As much as one batch of reclaim. A steady working set wavers, because the kernel charges a
   * group in lots of 256 KiB a processor.
   */
  static final long LEAST_SLACK_BYTES = 4L << 20;

  private final long mediumFromBytes;
  private final long criticalFromBytes;

  /** How far on the good side of where it began an episode ends: it must not flutter. */
  private final long slackBytes;

  private PressureLevel level = PressureLevel.NONE;

  private ShortfallPolicy(long mediumFromBytes, long criticalFromBytes, long reserveBytes) {
    this.mediumFromBytes = mediumFromBytes;
    this.criticalFromBytes = criticalFromBytes;
    this.slackBytes = Math.max(reserveBytes / 2, LEAST_SLACK_BYTES);
  }

  /**
   * For a control group, whose mark lies one and a half reserves below its limit: MEDIUM where the
   * reserve is eaten into (from there on nothing new is given), CRITICAL where half of it is gone.
   */
  static ShortfallPolicy ofGroup(long reserveBytes) {
    return new ShortfallPolicy(reserveBytes / 2, reserveBytes, reserveBytes);
  }

  /**
   * For the machine, whose mark is the reserve itself: MEDIUM where half of it is gone, CRITICAL
   * where three quarters are.
   */
  static ShortfallPolicy ofMachine(long reserveBytes) {
    return new ShortfallPolicy(reserveBytes / 2, reserveBytes - reserveBytes / 4, reserveBytes);
  }

  /**
   * The mark of a control group: half a reserve before the edge, which lies a reserve below its
   * limit.
   *
   * @param limitBytes where the kernel kills, or slows the group down, whichever is lower
   * @return {@link Long#MAX_VALUE} where nothing limits the group
   */
  static long groupMarkBytes(long limitBytes, long reserveBytes) {
    return limitBytes == Long.MAX_VALUE ? limitBytes : limitBytes - reserveBytes - reserveBytes / 2;
  }

  /** How hard the last reading pressed. */
  PressureLevel level() {
    return level;
  }

  /** Where an episode ends, as a reading: to be above it is worth to be known exactly. */
  long endsAtBytes() {
    return -slackBytes;
  }

  /**
   * Takes note of a reading.
   *
   * @param passedBytes by how much the mark is passed; negative on its good side
   * @return bytes to be taken back now; 0 for none
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
