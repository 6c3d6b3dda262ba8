package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.host.CgroupMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;

/** The files of a host as its kernel shows them, for a test to write as it likes. */
final class RecordedHost {
  static final long MIB = 1L << 20;

  private static final String V2_MOUNT = "30 23 0:26 / %s rw shared:4 - cgroup2 c rw\n";
  private final Path root;

  /** What the groups' clock shows. */
  final AtomicLong nanos = new AtomicLong();

  RecordedHost(Path root) {
    this.root = root;
  }

  Path root() {
    return root;
  }

  CgroupMemory open() throws IOException {
    PageClock clock = nanos::get;
    return CgroupMemory.open(root, clock);
  }

  /** A host with version 2 alone. */
  void version2(String ownGroup) throws IOException {
    write("proc/self/cgroup", "0::" + ownGroup + "\n");
    write("proc/self/mountinfo", "odd line\n" + V2_MOUNT.formatted("/sys/fs/cgroup"));
  }

  /** A host with version 1's memory controller, and version 2 without controllers beside it. */
  void version1(String ownGroup, String mountRoot) throws IOException {
    write("proc/self/cgroup", "odd line\n5:devices:/\n4:memory:" + ownGroup + "\n0::/\n");
    String mount =
        "32 31 0:29 %s /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
            .formatted(mountRoot);
    write("proc/self/mountinfo", mount + V2_MOUNT.formatted("/sys/fs/cgroup/unified"));
  }

  void version2Group(String folder, String limit, String high, long use, long inactive)
      throws IOException {
    String group = "sys/fs/cgroup" + folder + "/";
    write(group + "memory.max", limit + "\n");
    write(group + "memory.high", high + "\n");
    write(group + "memory.current", use + "\n");
    write(group + "memory.stat", "anon 1\ninactive_file " + inactive + "\n");
  }

  void version1Group(String folder, String limit, long use, long inactive) throws IOException {
    String group = "sys/fs/cgroup/memory" + folder + "/";
    write(group + "memory.limit_in_bytes", limit + "\n");
    write(group + "memory.usage_in_bytes", use + "\n");
    write(group + "memory.stat", "inactive_file 1\ntotal_inactive_file " + inactive + "\n");
  }

  void available(long bytes) throws IOException {
    write("proc/meminfo", "MemTotal: 9999999 kB\nMemAvailable: " + bytes / 1024 + " kB\n");
  }

  /** Writes a file so that who has it open reads the old text or the new one, never none. */
  void write(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      int written = channel.write(ByteBuffer.wrap(bytes), 0);
      var _ = channel.truncate(written);
    }
  }
}
