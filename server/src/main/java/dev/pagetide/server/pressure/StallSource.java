package dev.pagetide.server.pressure;

import dev.pagetide.server.os.KernelEvents;
import dev.pagetide.server.os.KernelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Stalls, as the kernel's PSI tells them: by triggers, and by totals that are read between them.
 */
final class StallSource implements PressureSource {
  /** Eight samples a window: the stall of "the last window" is right to an eighth. */
  private static final Duration PERIOD = Duration.ofMillis(250);

  private final KernelFile totals;
  private final LongSupplier availablePages;
  private final StallPolicy policy = new StallPolicy();

  private StallSource(KernelFile totals, LongSupplier availablePages) {
    this.totals = totals;
    this.availablePages = availablePages;
  }

  /**
   * Arms the triggers on a PSI file; their numbers among {@code events} follow {@link
   * StallTrigger#MILDEST_FIRST}.
   *
   * @throws IOException if the kernel refused; nothing is left then
   */
  static StallSource arm(Path file, KernelEvents events, LongSupplier availablePages)
      throws IOException {
    KernelFile totals = KernelFile.open(file);
    boolean armed = false;
    try {
      StallSource source = new StallSource(totals, availablePages);
      // Read before it is armed: a kernel with PSI switched off opens the file and fails to read
      // it.
      var _ = StallTotals.parse(totals.text());
      events.armAll(file, StallTrigger.MILDEST_FIRST.stream().map(StallTrigger::text).toList());
      armed = true;
      return source;
    } finally {
      if (!armed) {
        totals.close();
      }
    }
  }

  @Override
  public PressureKind kind() {
    return PressureKind.PSI;
  }

  @Override
  public long periodNanos() {
    return PERIOD.toNanos();
  }

  @Override
  public @Nullable PressureDecision ask(long nowNanos, Set<StallTrigger> fired) throws IOException {
    policy.sample(nowNanos, StallTotals.parse(totals.text()));
    return fired.isEmpty() ? null : policy.fired(nowNanos, fired, availablePages);
  }

  @Override
  public PressureLevel level() {
    return policy.level();
  }

  @Override
  public void close() {
    totals.close();
  }
}
