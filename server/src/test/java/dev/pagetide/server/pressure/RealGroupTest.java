package dev.pagetide.server.pressure;

import static dev.pagetide.server.pressure.RecordedHost.MIB;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.host.CgroupHeadroom;
import dev.pagetide.server.host.CgroupMemory;
import dev.pagetide.server.host.ControlGroup;
import dev.pagetide.server.host.GroupMemory;
import dev.pagetide.server.os.KernelEvents;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A control group of the kernel's below our own, with a process in it that holds memory: what the
 * classes of this package see if they are in its place.
 */
@Tag(Requires.TAG)
final class RealGroupTest {
  private static final int PAGE = 4096;
  private static final long RESERVE = 16 * MIB;
  private static final long LIMIT = 256 * MIB;
  private static final int HELD_MIB = 64;
  private static final int FILE_MIB = 32;

  @TempDir Path folder;

  private final AtomicLong nanos = new AtomicLong();
  private final List<Path> links = new ArrayList<>();
  private @Nullable ControlGroup group;
  private @Nullable Process holder;

  @BeforeEach
  void makeGroup() throws Exception {
    Requires.root("only root makes control groups");
    ControlGroup own =
        ControlGroup.ofThisProcess(Path.of("/")).stream()
            .filter(each -> Files.exists(each.limitFile()))
            .findFirst()
            .orElse(null);
    Requires.ofKernel(
        own != null, "a control group with a memory controller, to make one below it");
    if (own == null) {
      throw new AssertionError("checked above");
    }
    // Version 2 passes no memory controller on from a group that has processes, as ours has: there
    // it is made beside our own.
    Path above = own.folder().resolveSibling("cgroup.procs");
    boolean beside = own.version() == ControlGroup.Version.V2 && Files.exists(above);
    String name = "pagetide-test-" + ProcessHandle.current().pid();
    Path made = beside ? own.folder().resolveSibling(name) : own.folder().resolve(name);
    try {
      Files.createDirectory(made);
    } catch (FileSystemException e) {
      Requires.ofKernel(false, "control groups that can be made here: " + e.getMessage());
    }
    ControlGroup below = new ControlGroup(own.version(), made);
    group = below;
    Requires.ofKernel(
        Files.exists(below.limitFile()), "a memory controller that is passed on to groups below");
    Files.writeString(below.limitFile(), Long.toString(LIMIT));
    recordHostOf(below);
  }

  /** A root whose own process is in that group, with the real folder of groups below it. */
  private void recordHostOf(ControlGroup below) throws IOException {
    Path groups = below.folder();
    Path top = groups.getRoot().resolve(groups.getName(0));
    links.add(Files.createSymbolicLink(folder.resolve(top.getFileName()), top));
    boolean unified = below.version() == ControlGroup.Version.V2;
    Path mounted = groups.getParent();
    RecordedHost host = new RecordedHost(folder);
    host.write("proc/self/cgroup", (unified ? "0::/" : "4:memory:/") + groups.getFileName() + "\n");
    host.write(
        "proc/self/mountinfo",
        "1 0 0:1 / %s rw - %s rw%s\n"
            .formatted(
                mounted, unified ? "cgroup2 cgroup2" : "cgroup cgroup", unified ? "" : ",memory"));
  }

  @AfterEach
  void removeGroup() throws Exception {
    Process running = holder;
    if (running != null) {
      running.destroyForcibly();
      assertThat(running.waitFor(30, TimeUnit.SECONDS)).isTrue();
    }
    for (Path file : links) {
      Files.deleteIfExists(file); // whoever clears the folder is not to follow it
    }
    ControlGroup made = group;
    if (made != null) {
      // The kernel lets go of a group a moment after its last process has ended.
      await().ignoreExceptions().until(() -> Files.deleteIfExists(made.folder()));
    }
  }

  @Test
  void groupOfAProcess_thatHoldsMemory_isReadAsTheKernelCountsIt() throws Exception {
    OutputStream input = start("exec tail -c " + HELD_MIB * MIB);
    try (CgroupMemory memory = CgroupMemory.open(folder, nanos::get)) {
      GroupMemory own = memory.groups().getFirst();
      CgroupHeadroom headroom = new CgroupHeadroom(memory, RESERVE, PAGE, LIMIT);
      assertThat(memory.limitBytes()).isEqualTo(LIMIT);
      assertThat(headroom.roomPages()).isBetween(0L, (LIMIT - RESERVE) / PAGE);

      hold(input);

      assertThat(own.useBytes()).isBetween(HELD_MIB * MIB, 2 * HELD_MIB * MIB);
      assertThat(headroom.roomPages()).isLessThan((LIMIT - RESERVE - HELD_MIB * MIB) / PAGE);
      assertThat(headroom.describe())
          .startsWith("control group in use ")
          .endsWith(" MiB of 256 MiB, --memory-reserve=16 MiB");
      CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);
      assertThat(source.ask(0, Set.of())).isNull();
    }
  }

  @Test
  void limitOfAGroup_loweredUnderItsUse_asksForWhatIsMissing() throws Exception {
    OutputStream input = start("exec tail -c " + HELD_MIB * MIB);
    try (CgroupMemory memory = CgroupMemory.open(folder, nanos::get)) {
      hold(input);
      CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);
      CgroupHeadroom headroom = new CgroupHeadroom(memory, RESERVE, PAGE, LIMIT);
      GroupMemory own = memory.groups().getFirst();

      // Above the use, below the use and one and a half reserves.
      long workingSet = own.workingSetBytes(own.useBytes());
      long limit = (workingSet + RESERVE / 4) / PAGE * PAGE;
      Files.writeString(group().limitFile(), Long.toString(limit));
      nanos.addAndGet(1_000_000_000);

      PressureDecision decision = source.ask(0, Set.of());
      assertThat(decision).isNotNull();
      assertThat(source.level()).isEqualTo(PressureLevel.CRITICAL);
      long expected = (workingSet - limit + 2 * RESERVE) / PAGE;
      assertThat(decision == null ? 0 : decision.pages())
          .isBetween(expected - RESERVE / 2 / PAGE, expected + RESERVE / 2 / PAGE);
      assertThat(headroom.roomPages()).isNegative();
    }
  }

  @Test
  void pageCacheOfAGroup_thatNobodyUses_isNotInItsWorkingSet() throws Exception {
    Path file = folder.resolve("cached");
    Requires.ofKernel(
        !Files.getFileStore(folder).type().equals("tmpfs"), "a folder of tests that is on a disk");
    start("dd if=/dev/zero of=" + file + " bs=1M count=" + FILE_MIB + " conv=fsync; cat");

    try (CgroupMemory memory = CgroupMemory.open(folder, nanos::get)) {
      GroupMemory own = memory.groups().getFirst();
      await().until(() -> own.useBytes() >= FILE_MIB * MIB);

      await()
          .until(() -> own.useBytes() - own.workingSetBytes(own.useBytes()) >= FILE_MIB * MIB / 2);
      CgroupHeadroom exact = new CgroupHeadroom(memory, RESERVE, PAGE, /* enoughBytes= */ LIMIT);
      CgroupHeadroom quick = new CgroupHeadroom(memory, RESERVE, PAGE, /* enoughBytes= */ 0);
      assertThat(exact.roomPages() - quick.roomPages()).isGreaterThan(FILE_MIB * MIB / 2 / PAGE);
    }
  }

  @Test
  void triggerOfAGroup_thatIsRemoved_endsTheWaitAndFiresNothing() throws Exception {
    ControlGroup own =
        ControlGroup.ofThisProcess(Path.of("/")).stream()
            .filter(each -> each.version() == ControlGroup.Version.V2)
            .findFirst()
            .orElse(null);
    Requires.ofKernel(own != null && Files.exists(own.pressureFile()), "stalls by control group");
    if (own == null) {
      throw new AssertionError("checked above");
    }
    Path made =
        Files.createDirectory(
            own.folder().resolve("pagetide-test-psi-" + ProcessHandle.current().pid()));
    try (KernelEvents events = KernelEvents.open()) {
      events.armAll(
          new ControlGroup(own.version(), made).pressureFile(),
          List.of(StallTrigger.FULL_100.text()));

      Files.delete(made);

      assertThat(events.await(Integer.MAX_VALUE).isEmpty()).isTrue();
      assertThat(events.await(1).isEmpty()).isTrue();
    } finally {
      Files.deleteIfExists(made);
    }
  }

  private ControlGroup group() {
    return Optional.ofNullable(group).orElseThrow();
  }

  /** Runs a shell's command in the group; its input stays open, so it lives until it is ended. */
  private OutputStream start(String command) throws IOException {
    Path processes = group().folder().resolve("cgroup.procs");
    Process started =
        new ProcessBuilder("sh", "-c", "echo $$ > " + processes + "; " + command)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    holder = started;
    return started.getOutputStream();
  }

  /** Feeds a tail what it has to keep until its input ends. */
  private void hold(OutputStream input) throws IOException {
    byte[] piece = new byte[1 << 20];
    for (int i = 0; i < HELD_MIB; i++) {
      input.write(piece);
    }
    input.flush();
    try (CgroupMemory memory = CgroupMemory.open(folder, nanos::get)) {
      GroupMemory own = memory.groups().getFirst();
      await().until(() -> own.useBytes() >= HELD_MIB * MIB);
    }
  }
}
