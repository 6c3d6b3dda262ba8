package dev.pagetide.server.pressure;

import dev.pagetide.server.os.KernelEvents;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/**
 * The sources that this host has or may get later, and why it does not have the others.
 *
 * @param present the sources that the monitor reads
 * @param missing for each source that the host lacks, the reason as a clause; one thread may change
 *     it while others read it
 */
record PressureSources(List<PressureSource> present, Map<PressureKind, String> missing) {
  /**
   * Looks for all three sources.
   *
   * @param config where to look, and how much memory to keep free
   * @param events arms the triggers; no other code may arm any there
   * @param nowNanos the time of this call
   */
  static PressureSources find(
      PressureConfig config, KernelEvents events, LongSupplier availablePages, long nowNanos) {
    PressureSources found = new PressureSources(new ArrayList<>(), new ConcurrentHashMap<>());
    StallSource stalls = StallSource.find(config.root(), events, availablePages, nowNanos);
    found.present.add(stalls);
    String noStalls = stalls.missing();
    if (noStalls != null) {
      found.missing.put(PressureKind.PSI, noStalls);
    }
    if (config.groups().groups().isEmpty()) {
      found.missing.put(
          PressureKind.CGROUP, "no control group with a memory controller is visible");
    } else {
      found.present.add(
          new CgroupSource(config.groups(), config.reserveBytes(), config.pageSize()));
    }
    Path meminfo = config.root().resolve("proc/meminfo");
    try {
      found.present.add(MemAvailableSource.open(meminfo, config.reserveBytes(), config.pageSize()));
    } catch (IOException e) {
      found.missing.put(PressureKind.MEMAVAILABLE, String.valueOf(e.getMessage()));
    }
    return found;
  }

  void close() {
    present.forEach(PressureSource::close);
  }
}
