package dev.pagetide.client.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The CPU that a process's threads have taken, by their names. */
final class ThreadTimes {
  private ThreadTimes() {}

  /**
   * CPU taken so far, in seconds, by the live threads whose names begin with {@code prefix}; the
   * kernel knows the first 15 bytes of a name.
   */
  static double seconds(long pid, String prefix) throws IOException {
    long nanos = 0;
    try (Stream<Path> threads = Files.list(Path.of("/proc/" + pid + "/task"))) {
      for (Path thread : threads.toList()) {
        try {
          if (Files.readString(thread.resolve("comm")).startsWith(prefix)) {
            String[] words = Files.readString(thread.resolve("schedstat")).split(" ", -1);
            nanos += Long.parseLong(words[0]);
          }
        } catch (NoSuchFileException e) {
          // It ended since it was listed.
        }
      }
    }
    return nanos / 1e9;
  }
}
