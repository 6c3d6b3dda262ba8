package dev.pagetide.client.cli;

import dev.pagetide.client.RangeStatus;
import dev.pagetide.v1.RangeMode;
import dev.pagetide.v1.ReclaimTrigger;
import dev.pagetide.v1.Transport;
import java.util.Locale;

/** What the operator's commands call things. */
public final class RangeTexts {
  private static final String MODE_PREFIX = "RANGE_MODE_";
  private static final String TRIGGER_PREFIX = "RECLAIM_TRIGGER_";

  private RangeTexts() {}

  /** The process that opened a range; {@code ?} where the kernel does not say. */
  public static String pid(RangeStatus range) {
    return range.pid() == 0 ? "?" : Integer.toString(range.pid());
  }

  /** The user of that process; {@code tcp} where nobody vouches for one. */
  public static String uid(RangeStatus range) {
    return isTcp(range) ? "tcp" : Long.toString(range.uid());
  }

  /** Whether a range's session came in over TCP. */
  public static boolean isTcp(RangeStatus range) {
    return range.transport() == Transport.TRANSPORT_TCP;
  }

  /** What a range is for: {@code pages} or {@code buffers}. */
  public static String mode(RangeMode mode) {
    return mode.name().replace(MODE_PREFIX, "").toLowerCase(Locale.ROOT);
  }

  /** What made the server reclaim: {@code watermark}, {@code psi_some}. */
  public static String trigger(ReclaimTrigger trigger) {
    return trigger.name().replace(TRIGGER_PREFIX, "").toLowerCase(Locale.ROOT);
  }
}
