package dev.pagetide.client.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a process holds open that a session could have left there. Files of a disk are not counted:
 * a JVM opens its class path as it goes.
 *
 * @param memfds descriptors of shared files
 * @param sockets descriptors of sockets
 * @param mappings mappings of shared files
 */
public record Footprint(int memfds, int sockets, int mappings) {
  private static final String SHARED_FILE = "memfd:pagetide";

  static Footprint of(long pid) throws IOException {
    int memfds = 0;
    int sockets = 0;
    for (String target : descriptors(pid)) {
      if (target.contains(SHARED_FILE)) {
        memfds++;
      } else if (target.startsWith("socket:")) {
        sockets++;
      }
    }
    try (Stream<String> maps = Files.lines(Path.of("/proc/" + pid + "/maps"))) {
      int mappings = (int) maps.filter(line -> line.contains(SHARED_FILE)).count();
      return new Footprint(memfds, sockets, mappings);
    }
  }

  /**
   * Fails if there is more than there was. Less is no fault: a connection that somebody else was
   * through with may have ended since.
   */
  public void isNoMoreThan(Footprint before) {
    assertThat(memfds).as("%s, before %s", this, before).isLessThanOrEqualTo(before.memfds);
    assertThat(mappings).as("%s, before %s", this, before).isLessThanOrEqualTo(before.mappings);
    assertThat(sockets).as("%s, before %s", this, before).isLessThanOrEqualTo(before.sockets);
  }

  public static Footprint ofThisProcess() throws IOException {
    return of(ProcessHandle.current().pid());
  }

  /** The paths under /proc of a process's descriptors of shared files. */
  static List<Path> sharedFiles(long pid) throws IOException {
    List<Path> paths = new ArrayList<>();
    for (Path file : list(pid)) {
      if (target(file).contains(SHARED_FILE)) {
        paths.add(file);
      }
    }
    return paths;
  }

  private static List<String> descriptors(long pid) throws IOException {
    List<String> targets = new ArrayList<>();
    for (Path file : list(pid)) {
      targets.add(target(file));
    }
    return targets;
  }

  private static List<Path> list(long pid) throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      return files.toList();
    }
  }

  private static String target(Path file) throws IOException {
    try {
      return Files.readSymbolicLink(file).toString();
    } catch (NoSuchFileException e) {
      return ""; // closed since it was listed
    }
  }
}
