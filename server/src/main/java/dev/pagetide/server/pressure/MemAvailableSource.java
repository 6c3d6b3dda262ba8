package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.host.KernelText;
import dev.pagetide.server.os.KernelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Compares the memory that the whole machine has left without swapping with the reserve. */
final class MemAvailableSource implements PressureSource {
  /** Long, because the whole machine's memory changes slowly, and its text has 1.5 KiB. */
  private static final Duration PERIOD = Duration.ofMillis(250);

  private static final long KIB = 1024;

  private final KernelFile meminfo;
  private final long reserveBytes;
  private final int pageSize;
  private final ShortfallPolicy policy;

  private MemAvailableSource(KernelFile meminfo, long reserveBytes, int pageSize) {
    this.meminfo = meminfo;
    this.reserveBytes = reserveBytes;
    this.pageSize = pageSize;
    this.policy = ShortfallPolicy.ofMachine(reserveBytes);
  }

  /**
   * Opens {@code /proc/meminfo}.
   *
   * @throws IOException if it has no {@code MemAvailable}; then the file is closed again
   */
  static MemAvailableSource open(Path file, long reserveBytes, int pageSize) throws IOException {
    KernelFile meminfo = KernelFile.open(file);
    MemAvailableSource source = new MemAvailableSource(meminfo, reserveBytes, pageSize);
    boolean readable = false;
    try {
      var _ = source.availableBytes();
      readable = true;
      return source;
    } finally {
      if (!readable) {
        meminfo.close();
      }
    }
  }

  private long availableBytes() throws IOException {
    return KernelText.number(meminfo.text(), "MemAvailable") * KIB;
  }

  @Override
  public PressureKind kind() {
    return PressureKind.MEMAVAILABLE;
  }

  @Override
  public long periodNanos() {
    return PERIOD.toNanos();
  }

  @Override
  public @Nullable PressureDecision ask(long nowNanos, Set<StallTrigger> fired) throws IOException {
    long missing = policy.read(reserveBytes - availableBytes());
    return missing == 0
        ? null
        : new PressureDecision(
            ReclaimTrigger.MEMAVAILABLE, policy.level(), Math.ceilDiv(missing, (long) pageSize));
  }

  @Override
  public PressureLevel level() {
    return policy.level();
  }

  @Override
  public void close() {
    meminfo.close();
  }
}
