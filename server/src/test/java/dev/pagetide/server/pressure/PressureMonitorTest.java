package dev.pagetide.server.pressure;

import static dev.pagetide.server.pressure.RecordedHost.MIB;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.host.CgroupMemory;
import dev.pagetide.testkit.Requires;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real thread over recorded hosts, and over this machine. */
final class PressureMonitorTest {
  private static final int PAGE = 4096;
  private static final long RESERVE = 32 * MIB;

  @TempDir Path root;

  private final AtomicLong available = new AtomicLong(1 << 20);
  private final List<String> told = new CopyOnWriteArrayList<>();
  private final ReclaimablePages pages =
      new ReclaimablePages() {
        @Override
        public long count() {
          return available.get();
        }

        @Override
        public long reclaim(long wanted, ReclaimTrigger trigger) {
          long taken = Math.min(wanted, available.get());
          available.addAndGet(-taken);
          return taken;
        }
      };

  @SuppressWarnings("NullAway.Init")
  private RecordedHost host;

  @BeforeEach
  void recordHost() throws Exception {
    host = new RecordedHost(root);
    host.version2("/a");
    host.version2Group("/a", Long.toString(512 * MIB), "max", 100 * MIB, 0);
    host.available(10 * RESERVE);
  }

  @Test
  void start_groupFillsUp_takesPagesUntilItIsEmptierAndTellsTheEpisode() throws Exception {
    try (CgroupMemory groups = host.open();
        PressureMonitor _ = start(groups, /* dryRun= */ false)) {
      host.version2Group("/a", Long.toString(512 * MIB), "max", 470 * MIB, 0);
      await().until(() -> told.stream().anyMatch(line -> line.startsWith("CGROUP took ")));

      host.version2Group("/a", Long.toString(512 * MIB), "max", 440 * MIB, 0);
      await().until(() -> told.contains("CGROUP NONE"));
    }

    assertThat(told).first().isEqualTo("CGROUP LOW");
    assertThat(told).contains("CGROUP took " + (470 - 464 + 16) * MIB / PAGE);
    assertThat(told).noneMatch(line -> line.startsWith("MEMAVAILABLE"));
  }

  @Test
  void start_machineRunsLow_takesWhatIsMissing() throws Exception {
    host.available(RESERVE / 2);

    try (CgroupMemory groups = host.open();
        PressureMonitor _ = start(groups, /* dryRun= */ false)) {
      await().until(() -> told.contains("MEMAVAILABLE took " + RESERVE / PAGE));
    }

    assertThat(told).first().isEqualTo("MEMAVAILABLE LOW");
    assertThat(told).noneMatch(line -> line.startsWith("CGROUP"));
  }

  @Test
  void start_dryRun_takesNothing() throws Exception {
    host.available(RESERVE / 2);

    try (CgroupMemory groups = host.open();
        PressureMonitor _ = start(groups, /* dryRun= */ true)) {
      await().until(() -> told.contains("MEMAVAILABLE would take " + RESERVE / PAGE));
    }

    assertThat(available.get()).isEqualTo(1 << 20);
    assertThat(told).hasSize(2);
  }

  @Test
  void start_fileThatTurnsBad_isToldAndReadAgain() throws Exception {
    try (CgroupMemory groups = host.open();
        PressureMonitor monitor = start(groups, /* dryRun= */ false)) {
      Set<PressureKind> missing = monitor.missing().keySet();
      assertThat(missing).doesNotContain(PressureKind.MEMAVAILABLE);
      host.write("proc/meminfo", "MemTotal: 5 kB\n");
      await().until(() -> told.contains("MEMAVAILABLE failed"));
      await().until(() -> missing.contains(PressureKind.MEMAVAILABLE));

      host.available(0);
      await().until(() -> told.contains("MEMAVAILABLE CRITICAL"));
      assertThat(missing).doesNotContain(PressureKind.MEMAVAILABLE);
    }
  }

  @Test
  void missing_hostWithoutSources_saysWhyForEach() throws Exception {
    RecordedHost bare = new RecordedHost(Files.createDirectory(root.resolve("bare")));

    try (CgroupMemory groups = bare.open();
        PressureMonitor monitor =
            PressureMonitor.start(
                new PressureConfig(bare.root(), groups, RESERVE, PAGE, false),
                pages,
                PageClock.MONOTONIC,
                observer())) {
      assertThat(monitor.missing())
          .containsOnlyKeys(PressureKind.values())
          .containsEntry(
              PressureKind.PSI, "there is no " + bare.root().resolve("proc/pressure/memory"))
          .containsEntry(
              PressureKind.CGROUP, "no control group with a memory controller is visible");
      assertThat(monitor.missing().get(PressureKind.MEMAVAILABLE))
          .endsWith("meminfo, 0x80000): ENOENT");
    }
    assertThat(told).isEmpty();
  }

  @Test
  void missing_stallsThatCannotBeRead_saysBothReasons() throws Exception {
    host.write("sys/fs/cgroup/a/memory.pressure", "");
    host.write("proc/pressure/memory", "nothing of the kind\n");

    try (CgroupMemory groups = host.open();
        PressureMonitor monitor = start(groups, /* dryRun= */ false)) {
      assertThat(monitor.missing()).containsOnlyKeys(PressureKind.PSI);
      assertThat(monitor.missing().get(PressureKind.PSI))
          .contains("a/memory.pressure cannot be armed (no line 'some")
          .contains("proc/pressure/memory cannot be armed (no line 'some");
    }
  }

  @Tag(Requires.TAG)
  @Test
  void start_thisMachine_hasTheStallsWhereTheKernelAllowsThem() throws Exception {
    Requires.ofKernel(
        Files.isWritable(Path.of("/proc/pressure/memory")), "PSI that this user may arm");

    try (CgroupMemory groups = CgroupMemory.open(Path.of("/"), PageClock.MONOTONIC);
        PressureMonitor monitor =
            PressureMonitor.start(
                new PressureConfig(Path.of("/"), groups, 0, PAGE, false),
                pages,
                PageClock.MONOTONIC,
                observer())) {
      Requires.ofKernel(
          !monitor.missing().getOrDefault(PressureKind.PSI, "").contains("cannot be armed"),
          "a kernel that takes triggers of this user");
      assertThat(monitor.missing()).doesNotContainKeys(PressureKind.PSI, PressureKind.MEMAVAILABLE);
    }
    assertThat(told).noneMatch(line -> line.endsWith("failed"));
  }

  @Test
  void close_twice_endsTheThreadAndLeavesNoDescriptor() throws Exception {
    try (CgroupMemory groups = host.open()) {
      PressureMonitor monitor = start(groups, /* dryRun= */ false);
      assertThat(threads()).isEqualTo(1);

      monitor.close();
      monitor.close();

      assertThat(threads()).isZero();
    }
    try (var open = Files.list(Path.of("/proc/self/fd"))) {
      assertThat(open.map(PressureMonitorTest::target)).noneMatch(file -> file.startsWith(root));
    }
  }

  private static Path target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor);
    } catch (java.io.IOException e) {
      return descriptor; // the one that lists the others
    }
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("pagetide-pressure"))
        .count();
  }

  private PressureMonitor start(CgroupMemory groups, boolean dryRun) throws Exception {
    return PressureMonitor.start(
        new PressureConfig(root, groups, RESERVE, PAGE, dryRun),
        pages,
        PageClock.MONOTONIC,
        observer());
  }

  private PressureObserver observer() {
    return new PressureObserver() {
      @Override
      public void decided(
          ReclaimTrigger trigger,
          PressureLevel level,
          long wanted,
          long reclaimed,
          boolean dryRun) {
        told.add(
            PressureKind.of(trigger) + (dryRun ? " would take " + wanted : " took " + reclaimed));
      }

      @Override
      public void levelChanged(PressureKind source, PressureLevel level) {
        told.add(source + " " + level);
      }

      @Override
      public void failed(PressureKind source, Throwable cause) {
        told.add(source + " failed");
      }
    };
  }
}
