package dev.pagetide.server;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory limit of the control group this process runs in: the lowest of its own and its
 * ancestors', in version 2 ({@code memory.max}) and version 1 ({@code memory.limit_in_bytes}).
 *
 * <p>Both versions are looked at, because a host can mount version 2 without a memory controller
 * beside version 1 with one. Files and formats: {@code cgroups(7)}, {@code proc(5)}.
 */
final class CgroupMemory {
  private CgroupMemory() {}

  /**
   * The limit in bytes, or {@link Long#MAX_VALUE} where none is set.
   *
   * @param root where {@code proc} and {@code sys} are mounted
   */
  static long limitBytes(Path root) throws IOException {
    Path self = root.resolve("proc/self");
    if (!Files.exists(self.resolve("cgroup"))) {
      return Long.MAX_VALUE; // a kernel without control groups
    }
    List<String> mounts = Files.readAllLines(self.resolve("mountinfo"));
    long limit = Long.MAX_VALUE;
    for (String line : Files.readAllLines(self.resolve("cgroup"))) {
      String[] fields = line.split(":", 3); // hierarchy:controllers:path
      if (fields.length != 3) {
        continue;
      }
      boolean unified = fields[0].equals("0") && fields[1].isEmpty();
      if (unified || Arrays.asList(fields[1].split(",", -1)).contains("memory")) {
        String file = unified ? "memory.max" : "memory.limit_in_bytes";
        limit = Math.min(limit, lowest(root, mounts, unified, fields[2], file));
      }
    }
    return limit;
  }

  private static long lowest(
      Path root, List<String> mounts, boolean unified, String groupPath, String file)
      throws IOException {
    for (String line : mounts) {
      int separator = line.indexOf(" - "); // optional fields come before, type and options after
      if (separator < 0) {
        continue;
      }
      String[] before = line.substring(0, separator).split(" ", -1);
      String[] after = line.substring(separator + 3).split(" ", -1);
      boolean matches =
          unified
              ? after[0].equals("cgroup2")
              : after[0].equals("cgroup")
                  && Arrays.asList(after[after.length - 1].split(",", -1)).contains("memory");
      if (matches) {
        Path mounted = root.resolve(before[4].substring(1));
        return lowest(mounted, mounted.resolve(below(before[3], groupPath)), file);
      }
    }
    return Long.MAX_VALUE;
  }

  private static long lowest(Path mounted, Path group, String file) throws IOException {
    long limit = Long.MAX_VALUE;
    for (Path at = group; at != null && at.startsWith(mounted); at = at.getParent()) {
      String text = textOf(at.resolve(file));
      if (text != null && !text.equals("max")) {
        limit = Math.min(limit, Long.parseLong(text));
      }
    }
    return limit;
  }

  /** The group's path below a mount that shows the hierarchy from {@code mountRoot} on. */
  private static String below(String mountRoot, String groupPath) {
    if (mountRoot.equals("/")) {
      return groupPath.substring(1);
    }
    // A group outside what is mounted is seen from another namespace: the mount is all there is.
    return groupPath.startsWith(mountRoot + "/") ? groupPath.substring(mountRoot.length() + 1) : "";
  }

  private static @Nullable String textOf(Path file) throws IOException {
    try {
      return Files.readString(file).strip();
    } catch (NoSuchFileException e) {
      return null; // the root group has no limit, and a group without the controller has none
    }
  }
}
