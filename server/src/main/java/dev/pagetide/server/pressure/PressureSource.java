package dev.pagetide.server.pressure;

import java.io.IOException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One of the host's answers to how short of memory it is. For the monitor's thread alone. */
interface PressureSource extends AutoCloseable {
  /** Which one. */
  PressureKind kind();

  /** How long after it was asked it is to be asked again, if nothing fires before. */
  long periodNanos();

  /**
   * Asks the host.
   *
   * @param fired the triggers that fired since it was asked last; empty for most sources
   * @return what to do about the answer; null for nothing
   * @throws IOException if the host cannot be asked
   */
  @Nullable PressureDecision ask(long nowNanos, Set<StallTrigger> fired) throws IOException;

  /**
   * What it could not read when it was asked last, although the rest gave an answer; null: nothing.
   */
  default @Nullable IOException trouble() {
    return null;
  }

  /** Why the host does not have it at the moment, as a clause; null: it has. */
  default @Nullable String missing() {
    return null;
  }

  /** How hard it pressed when it was asked last. */
  PressureLevel level();

  @Override
  void close();
}
