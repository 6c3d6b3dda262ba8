package dev.pagetide.server.pressure;

import java.io.IOException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One source that tells how short of memory the host is. Only for the monitor's thread. */
interface PressureSource extends AutoCloseable {
  /** Which source it is. */
  PressureKind kind();

  /** The time from one reading to the next, if no trigger fires before. */
  long periodNanos();

  /**
   * Reads the source.
   *
   * @param fired the triggers that fired since the last reading; empty for most sources
   * @return what to do about the reading; null for nothing
   * @throws IOException if the source cannot be read
   */
  @Nullable PressureDecision ask(long nowNanos, Set<StallTrigger> fired) throws IOException;

  /**
   * The failure of the part that the last reading could not read, although the rest gave an answer;
   * null if there was none.
   */
  default @Nullable IOException trouble() {
    return null;
  }

  /** Why the host does not have it at the moment, as a clause; null if it has it. */
  default @Nullable String missing() {
    return null;
  }

  /** The level at the last reading. */
  PressureLevel level();

  @Override
  void close();
}
