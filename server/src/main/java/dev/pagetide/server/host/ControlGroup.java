package dev.pagetide.server.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One control group, which is a folder of the kernel: see {@code cgroups(7)}.
 *
 * @param version the version of its hierarchy, with the names of the files
 * @param folder the folder of its files
 */
public record ControlGroup(Version version, Path folder) {
  /** The two versions, and the names that they give the same things. */
  public enum Version {
    /** Version 1 has no {@code memory.high}, and no PSI for each group. */
    V1("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"),
    V2("memory.current", "memory.max", "inactive_file");

    private final String use;
    private final String limit;
    private final String inactiveFile;

    Version(String use, String limit, String inactiveFile) {
      this.use = use;
      this.limit = limit;
      this.inactiveFile = inactiveFile;
    }

    /** The name in {@code memory.stat} of page cache that was not read recently. */
    String inactiveFile() {
      return inactiveFile;
    }
  }

  /** The file of the memory that is charged to this group and those below it. */
  Path useFile() {
    return folder.resolve(version.use);
  }

  /** The file of the limit at which the kernel kills. */
  public Path limitFile() {
    return folder.resolve(version.limit);
  }

  /** The file of the limit above which the kernel slows the group down; version 2 only. */
  Path highFile() {
    return folder.resolve("memory.high");
  }

  /** The file of the parts of the use. */
  Path statFile() {
    return folder.resolve("memory.stat");
  }

  /** The file of the group's own PSI; version 2 only. */
  public Path pressureFile() {
    return folder.resolve("memory.pressure");
  }

  /**
   * The groups of this process that may limit its memory. Its own group of each version comes
   * first, then those above it, as far as they are visible. There are none on a kernel without
   * control groups.
   *
   * <p>This reads both versions, because a host can mount version 2 without a memory controller
   * beside version 1 with one.
   *
   * @param root where {@code proc} and {@code sys} are mounted
   */
  public static List<ControlGroup> ofThisProcess(Path root) throws IOException {
    Path self = root.resolve("proc/self");
    List<ControlGroup> groups = new ArrayList<>();
    if (!Files.exists(self.resolve("cgroup"))) {
      return groups;
    }
    List<String> mounts = Files.readAllLines(self.resolve("mountinfo"));
    for (String line : Files.readAllLines(self.resolve("cgroup"))) {
      String[] fields = line.split(":", 3); // hierarchy:controllers:path
      if (fields.length != 3) {
        continue;
      }
      if (fields[0].equals("0") && fields[1].isEmpty()) {
        addMounted(root, mounts, Version.V2, fields[2], groups);
      } else if (named(fields[1])) {
        addMounted(root, mounts, Version.V1, fields[2], groups);
      }
    }
    return groups;
  }

  private static boolean named(String controllers) {
    return Arrays.asList(controllers.split(",", -1)).contains("memory");
  }

  private static void addMounted(
      Path root, List<String> mounts, Version version, String path, List<ControlGroup> groups) {
    for (String line : mounts) {
      int separator = line.indexOf(" - "); // optional fields come before, type and options after
      if (separator < 0) {
        continue;
      }
      String[] before = line.substring(0, separator).split(" ", -1);
      String[] after = line.substring(separator + 3).split(" ", -1);
      boolean matches =
          version == Version.V2
              ? after[0].equals("cgroup2")
              : after[0].equals("cgroup") && named(after[after.length - 1]);
      if (matches) {
        Path mounted = root.resolve(before[4].substring(1));
        Path own = mounted.resolve(below(before[3], path));
        for (Path at = own; at != null && at.startsWith(mounted); at = at.getParent()) {
          groups.add(new ControlGroup(version, at));
        }
        return;
      }
    }
  }

  /** The group's path below a mount whose root is the group {@code mountRoot}. */
  private static String below(String mountRoot, String path) {
    if (mountRoot.equals("/")) {
      return path.substring(1);
    }
    // A group outside the mounted part is visible from another namespace only. Then we take the
    // root of the mount.
    return path.startsWith(mountRoot + "/") ? path.substring(mountRoot.length() + 1) : "";
  }
}
