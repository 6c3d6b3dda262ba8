package dev.pagetide.client.cli;

import dev.pagetide.client.RangeMode;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ReclaimTrigger;
import dev.pagetide.client.Transport;
import java.util.Locale;

/** The names that the operator's commands give to things. */
public final class RangeTexts {
  private RangeTexts() {}

  /** The process that opened a range; {@code ?} if the kernel does not say. */
  public static String pid(RangeStatus range) {
    return range.pid() == 0 ? "?" : Integer.toString(range.pid());
  }

  /** The user of that process; {@code tcp} if nothing vouches for one. */
  public static String uid(RangeStatus range) {
    return isTcp(range) ? "tcp" : Long.toString(range.uid());
  }

  /** Whether a range's session came in over TCP. */
  public static boolean isTcp(RangeStatus range) {
    return range.transport() == Transport.TCP;
  }

  /** What a range is for: {@code pages} or {@code buffers}. */
  public static String mode(RangeMode mode) {
    return mode.name().toLowerCase(Locale.ROOT);
  }

  /** Why the server reclaimed: {@code watermark}, {@code psi_some}. */
  public static String trigger(ReclaimTrigger trigger) {
    return trigger.name().toLowerCase(Locale.ROOT);
  }
}
