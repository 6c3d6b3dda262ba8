package dev.pagetide.server.pressure;

import dev.pagetide.server.os.KernelEvents;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * The sources that this host has, and why it does not have the others.
 *
 * @param present those it has
 * @param missing for each other one the reason, as a clause
 */
record PressureSources(List<PressureSource> present, Map<PressureKind, String> missing) {
  /**
   * Looks for all three.
   *
   * @param terms where, and what is to be kept free
   * @param events where triggers are armed; nothing else is
   */
  static PressureSources find(
      PressureTerms terms, KernelEvents events, LongSupplier availablePages) {
    PressureSources found =
        new PressureSources(new ArrayList<>(), new EnumMap<>(PressureKind.class));
    found.addStalls(terms.root(), events, availablePages);
    if (terms.groups().groups().isEmpty()) {
      found.missing.put(
          PressureKind.CGROUP, "no control group with a memory controller is visible");
    } else {
      found.present.add(new CgroupSource(terms.groups(), terms.reserveBytes(), terms.pageSize()));
    }
    Path meminfo = terms.root().resolve("proc/meminfo");
    try {
      found.present.add(MemAvailableSource.open(meminfo, terms.reserveBytes(), terms.pageSize()));
    } catch (IOException e) {
      found.missing.put(PressureKind.MEMAVAILABLE, String.valueOf(e.getMessage()));
    }
    return found;
  }

  /** The group's own stalls where its file can be had, else the whole machine's. */
  private void addStalls(Path root, KernelEvents events, LongSupplier availablePages) {
    List<String> refusals = new ArrayList<>();
    List<Path> files = new ArrayList<>();
    try {
      for (ControlGroup group : ControlGroup.ofThisProcess(root)) {
        if (group.version() == ControlGroup.Version.V2) {
          files.add(group.pressureFile());
          break; // its own is the first; those above it are not only its
        }
      }
    } catch (IOException e) {
      refusals.add(String.valueOf(e.getMessage()));
    }
    files.add(root.resolve("proc/pressure/memory"));
    for (Path file : files) {
      if (!Files.exists(file)) {
        refusals.add("there is no " + file);
        continue;
      }
      try {
        present.add(StallSource.arm(file, events, availablePages));
        return;
      } catch (IOException e) {
        refusals.add(file + " cannot be armed (" + e.getMessage() + ")");
      }
    }
    missing.put(PressureKind.PSI, String.join("; ", refusals));
  }

  void close() {
    present.forEach(PressureSource::close);
  }
}
