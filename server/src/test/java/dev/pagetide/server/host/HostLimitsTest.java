package dev.pagetide.server.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.UnixOperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reads this machine's own files, and copies of other machines' where this one has other ones. */
final class HostLimitsTest {
  private static final long MIB = 1L << 20;
  private static final String V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 c rw\n";
  @TempDir Path root;

  @BeforeEach
  void writeMachine() throws IOException {
    ByteBuffer auxv = ByteBuffer.allocate(48).order(ByteOrder.nativeOrder());
    auxv.putLong(33).putLong(7).putLong(6).putLong(16384).putLong(0).putLong(0);
    Path self = Files.createDirectories(root.resolve("proc/self"));
    Files.write(self.resolve("auxv"), auxv.array());
    write(
        "proc/self/limits", "Limit  Soft Limit  Hard Limit  Units\nMax open files   10   20  f\n");
    write("proc/meminfo", "MemTotal:        1048576 kB\nMemFree: 1 kB\n");
    write("proc/sys/vm/max_map_count", "65530\n");
  }

  @Test
  void read_thisMachine_agreesWithTheJvm() throws StartupException {
    HostLimits limits = HostLimits.read(Path.of("/"));

    OperatingSystemMXBean jvm = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    UnixOperatingSystemMXBean unix =
        ManagementFactory.getPlatformMXBean(UnixOperatingSystemMXBean.class);
    assertThat(limits.uid()).isEqualTo(HostLimits.ownUid());
    assertThat(limits.memoryBytes()).isEqualTo(jvm.getTotalMemorySize());
    assertThat(limits.maxOpenFiles()).isEqualTo(unix.getMaxFileDescriptorCount());
    assertThat(limits.pageSize()).isGreaterThanOrEqualTo(4096);
    assertThat(Integer.bitCount(limits.pageSize())).isEqualTo(1);
    assertThat(limits.maxMapCount()).isGreaterThanOrEqualTo(65530);
  }

  @Test
  void read_noControlGroups_isTheMachinesMemory() throws StartupException {
    HostLimits limits = HostLimits.read(root);

    assertThat(limits)
        .isEqualTo(
            new HostLimits(
                HostLimits.ownUid(),
                16384,
                1024 * MIB,
                Long.MAX_VALUE,
                Runtime.getRuntime().maxMemory(),
                10,
                65530));
  }

  @Test
  void read_openFilesUnlimited_isTheLargestNumber() throws Exception {
    write("proc/self/limits", "Max open files            unlimited   unlimited   files\n");

    assertThat(HostLimits.read(root).maxOpenFiles()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void read_groupBelowTheMachine_isTheGroupsLimit() throws Exception {
    writeGroup(512 * MIB);

    HostLimits limits = HostLimits.read(root);

    assertThat(limits.memoryBytes()).isEqualTo(512 * MIB);
    assertThat(limits.groupLimitBytes()).isEqualTo(512 * MIB);
  }

  @Test
  void read_highBelowTheLimit_isTheMemoryButNotWhereTheKernelKills() throws Exception {
    writeGroup(512 * MIB);
    write("sys/fs/cgroup/pagetide.service/memory.high", 300 * MIB + "\n");

    HostLimits limits = HostLimits.read(root);

    assertThat(limits.memoryBytes()).isEqualTo(300 * MIB);
    assertThat(limits.groupLimitBytes()).isEqualTo(512 * MIB);
  }

  @Test
  void read_groupAboveTheMachine_isTheMachinesMemory() throws Exception {
    writeGroup(1024 * MIB);

    HostLimits limits = HostLimits.read(root);

    assertThat(limits.memoryBytes()).isEqualTo(1024 * MIB);
    assertThat(limits.groupLimitBytes()).isEqualTo(Long.MAX_VALUE);
  }

  private void writeGroup(long limitBytes) throws IOException {
    write("proc/self/cgroup", "0::/pagetide.service\n");
    write("proc/self/mountinfo", V2_MOUNT);
    write("sys/fs/cgroup/pagetide.service/memory.max", limitBytes + "\n");
    write("sys/fs/cgroup/pagetide.service/memory.current", "4096\n");
    write("sys/fs/cgroup/pagetide.service/memory.stat", "inactive_file 0\n");
  }

  @Test
  void read_noProc_saysWhatIsMissing(@TempDir Path empty) {
    assertThatThrownBy(() -> HostLimits.read(empty))
        .isInstanceOf(StartupException.class)
        .hasMessageContaining("needs Linux 5.14 or newer with /proc mounted");
  }

  private void write(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
