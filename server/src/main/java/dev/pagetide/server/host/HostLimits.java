package dev.pagetide.server.host;

import dev.pagetide.server.budget.PageClock;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the host grants this process: its user, and the limits of its memory, files and mappings.
 *
 * @param uid the user this process runs as
 * @param pageSize bytes in a page
 * @param memoryBytes memory this process may have: the machine's, or its control group's limit if
 *     that is lower; {@code memory.high}, above which the kernel slows it down, counts as a limit
 * @param groupLimitBytes its control group's limit at which the kernel kills; {@link
 *     Long#MAX_VALUE} if that is not below the machine's memory
 * @param maxHeapBytes the most memory that this JVM's heap takes
 * @param maxOpenFiles how many files it may have open (RLIMIT_NOFILE)
 * @param maxMapCount how many mappings it may have (vm.max_map_count)
 */
public record HostLimits(
    int uid,
    int pageSize,
    long memoryBytes,
    long groupLimitBytes,
    long maxHeapBytes,
    long maxOpenFiles,
    long maxMapCount) {
  /** The key of the page size in the auxiliary vector: AT_PAGESZ of {@code getauxval(3)}. */
  private static final long AT_PAGESZ = 6;

  private static final Pattern MEM_TOTAL =
      Pattern.compile("^MemTotal:\\s+([0-9]+) kB$", Pattern.MULTILINE);

  /** The line of the soft limit, which a JVM raises to the hard limit when it starts. */
  private static final Pattern OPEN_FILES =
      Pattern.compile("^Max open files\\s+([0-9]+|unlimited)\\s", Pattern.MULTILINE);

  /**
   * Reads the limits of this process.
   *
   * @param root where {@code proc} is mounted: {@code /}, except in a test
   */
  public static HostLimits read(Path root) throws StartupException {
    Path self = root.resolve("proc/self");
    try (CgroupMemory groups = CgroupMemory.open(root, PageClock.MONOTONIC)) {
      String openFiles = find(OPEN_FILES, self.resolve("limits"));
      long machineBytes =
          Math.multiplyExact(Long.parseLong(find(MEM_TOTAL, root.resolve("proc/meminfo"))), 1024);
      long groupBytes = groups.limitBytes();
      return new HostLimits(
          uid(self),
          pageSize(self.resolve("auxv")),
          Math.min(machineBytes, groups.lowestLimitBytes()),
          groupBytes < machineBytes ? groupBytes : Long.MAX_VALUE,
          Runtime.getRuntime().maxMemory(),
          openFiles.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(openFiles),
          Long.parseLong(firstLine(root.resolve("proc/sys/vm/max_map_count"))));
    } catch (IOException | NumberFormatException | ArithmeticException e) {
      throw new StartupException(
          "what this host grants cannot be read from "
              + root.resolve("proc")
              + " ("
              + e
              + "); Pagetide needs Linux 5.14 or newer with /proc mounted",
          e);
    }
  }

  /** The user this process runs as: the owner of its own directory in {@code /proc}. */
  public static int ownUid() throws StartupException {
    try {
      return uid(Path.of("/proc/self"));
    } catch (IOException e) {
      throw new StartupException("the server's own uid cannot be read (" + e + "); mount /proc", e);
    }
  }

  private static int uid(Path self) throws IOException {
    // /proc/self is a symbolic link that root owns. The directory behind it is this process's own.
    return (int) Files.getAttribute(self.toRealPath(), "unix:uid", LinkOption.NOFOLLOW_LINKS);
  }

  private static int pageSize(Path auxv) throws IOException {
    ByteBuffer words = ByteBuffer.wrap(Files.readAllBytes(auxv)).order(ByteOrder.nativeOrder());
    while (words.remaining() >= 2 * Long.BYTES) {
      long key = words.getLong();
      long value = words.getLong();
      if (key == AT_PAGESZ) {
        return Math.toIntExact(value);
      }
    }
    throw new IOException(auxv + " has no AT_PAGESZ");
  }

  private static String firstLine(Path file) throws IOException {
    // One system call must read a sysctl file. Files.readString begins with one byte if the size of
    // the file is 0, and so would read 6 instead of 65530.
    try (BufferedReader reader = Files.newBufferedReader(file)) {
      String line = reader.readLine();
      if (line == null) {
        throw new IOException(file + " is empty");
      }
      return line.strip();
    }
  }

  private static String find(Pattern pattern, Path file) throws IOException {
    Matcher matcher = pattern.matcher(Files.readString(file));
    if (!matcher.find()) {
      throw new IOException(file + " has no line " + pattern);
    }
    return matcher.group(1);
  }
}
