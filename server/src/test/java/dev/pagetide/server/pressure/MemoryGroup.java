package dev.pagetide.server.pressure;

import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;

/**
 * A control group with a limit on its memory, made for one test and removed with it; version 1 or
 * 2, whichever the host has its memory controller in.
 *
 * <p>It lies below the group that the test runs in, or, in version 2, where a group with processes
 * has no groups below it, beside that one. Whoever closes it has ended its processes.
 */
final class MemoryGroup implements AutoCloseable {
  private static final String CONTROLLER = "memory";

  /** The names of the two versions for the same things. */
  private enum Version {
    V1(
        "memory.usage_in_bytes",
        "memory.limit_in_bytes",
        "total_inactive_file",
        "total_shmem",
        "memory.oom_control"),
    V2("memory.current", "memory.max", "inactive_file", "shmem", "memory.events");

    private final String use;
    private final String limit;
    private final String inactiveFile;
    private final String sharedMemory;
    private final String kills;

    Version(String use, String limit, String inactiveFile, String sharedMemory, String kills) {
      this.use = use;
      this.limit = limit;
      this.inactiveFile = inactiveFile;
      this.sharedMemory = sharedMemory;
      this.kills = kills;
    }
  }

  /**
   * What the group's memory is at one moment.
   *
   * @param workingSetBytes all of it but page cache that nobody looked at of late
   * @param sharedBytes shared memory: what Pagetide gives its clients, if nobody else makes any
   */
  record Use(long workingSetBytes, long sharedBytes) {}

  private final Version version;
  private final Path folder;
  private final long limitBytes;

  private MemoryGroup(Version version, Path folder, long limitBytes) {
    this.version = version;
    this.folder = folder;
    this.limitBytes = limitBytes;
  }

  /** Makes a group, or skips the test where this host does not let it. */
  static MemoryGroup create(long limitBytes) throws Exception {
    Requires.root("only root may make a control group");
    Path name = Path.of("pagetide-test-" + ProcessHandle.current().pid());
    MemoryGroup group = place(name, limitBytes);
    try {
      Files.createDirectory(group.folder);
    } catch (IOException e) {
      Requires.ofKernel(false, "a memory controller that root may make groups in: " + e);
    }
    boolean complete = false;
    try {
      group.write(group.version.limit, String.valueOf(limitBytes));
      // With swap the kernel would rather swap than kill, and what is reclaimed would not be seen.
      group.writeIfThere("memory.memsw.limit_in_bytes", String.valueOf(limitBytes));
      group.writeIfThere("memory.swap.max", "0");
      complete = true;
      return group;
    } finally {
      if (!complete) {
        group.close();
      }
    }
  }

  private static MemoryGroup place(Path name, long limitBytes) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/cgroup"))) {
      String[] fields = line.split(":", 3); // hierarchy:controllers:path
      if (Arrays.asList(fields[1].split(",", -1)).contains(CONTROLLER)) {
        Path own = groups("cgroup", CONTROLLER, fields[2]).getFirst();
        return new MemoryGroup(Version.V1, own.resolve(name), limitBytes);
      }
    }
    for (String line : Files.readAllLines(Path.of("/proc/self/cgroup"))) {
      if (line.startsWith("0::")) {
        for (Path group : groups("cgroup2", "", line.substring("0::".length()))) {
          Path given = group.resolve("cgroup.subtree_control");
          if (Files.exists(given) && words(given).contains(CONTROLLER)) {
            return new MemoryGroup(Version.V2, group.resolve(name), limitBytes);
          }
        }
      }
    }
    Requires.ofKernel(false, "a memory controller in the test's control group or one above it");
    throw new AssertionError("skipped");
  }

  /** The folders of a group and of those above it, as far as the hierarchy is mounted. */
  private static List<Path> groups(String type, String option, String path) throws IOException {
    List<Path> groups = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
      String[] before = line.split(" ", -1); // number, parent, device, root, place
      List<String> after = List.of(line.substring(line.indexOf(" - ") + 3).split(" ", -1));
      boolean hasOption =
          option.isEmpty() || Arrays.asList(after.getLast().split(",", -1)).contains(option);
      if (groups.isEmpty() && after.getFirst().equals(type) && hasOption) {
        // What is mounted may be a container's own group, which the path begins with.
        String below = path.startsWith(before[3]) ? path.substring(before[3].length()) : "";
        Path top = Path.of(before[4]);
        Path at = top.resolve(below.replaceFirst("^/", ""));
        while (at != null && at.startsWith(top)) {
          groups.add(at);
          at = at.getParent();
        }
      }
    }
    Requires.ofKernel(!groups.isEmpty(), "a mounted " + type + " file system with " + CONTROLLER);
    return groups;
  }

  private static List<String> words(Path file) throws IOException {
    return Arrays.asList(Files.readString(file).strip().split("\\s+", -1));
  }

  private void write(String file, String text) throws IOException {
    Files.write(folder.resolve(file), text.getBytes(StandardCharsets.US_ASCII));
  }

  private void writeIfThere(String file, String text) throws IOException {
    if (Files.exists(folder.resolve(file))) {
      write(file, text);
    }
  }

  long limitBytes() {
    return limitBytes;
  }

  /** The command that runs another one in this group; its memory from the first page on. */
  List<String> prefix() {
    return List.of("sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", procs().toString());
  }

  /** As {@link #prefix}, for a process that the kernel is to kill before all others. */
  List<String> victimPrefix() {
    return List.of(
        "sh",
        "-c",
        "echo $$ > \"$0\" && echo 1000 > /proc/$$/oom_score_adj && exec \"$@\"",
        procs().toString());
  }

  private Path procs() {
    return folder.resolve("cgroup.procs");
  }

  /** What is charged to the group now. */
  Use use() throws IOException {
    long use = Long.parseLong(Files.readString(folder.resolve(version.use)).strip());
    String stat = Files.readString(folder.resolve("memory.stat"));
    return new Use(use - field(stat, version.inactiveFile), field(stat, version.sharedMemory));
  }

  /** How many of its processes the kernel has killed for want of memory. */
  long kills() throws IOException {
    return field(Files.readString(folder.resolve(version.kills)), "oom_kill");
  }

  private static long field(String text, String name) {
    Matcher line = Pattern.compile("^" + name + " (\\d+)$", Pattern.MULTILINE).matcher(text);
    if (!line.find()) {
      throw new AssertionError("no " + name + " in:\n" + text);
    }
    return Long.parseLong(line.group(1));
  }

  /** Removes it. The kernel lets go of processes a moment after they were waited for. */
  @Override
  public void close() {
    Awaitility.await("the end of all processes in " + folder)
        .until(() -> Files.readString(procs()).isEmpty());
    Awaitility.await("the end of " + folder)
        .ignoreExceptions()
        .until(() -> {
          Files.delete(folder);
          return true;
        });
  }
}
