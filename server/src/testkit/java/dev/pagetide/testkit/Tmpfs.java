package dev.pagetide.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A file system of a test's own, in memory; unmounted when it is closed. */
public record Tmpfs(Path folder) implements AutoCloseable {
  /**
   * Mounts one over a folder, or skips the test where that is refused: root alone does not suffice,
   * because a container's root may mount nothing.
   *
   * @param options mount options; each but the first is tried where this kernel does not know the
   *     one before
   */
  public static Tmpfs mount(Path folder, String... options) throws IOException {
    String refusal = "no options";
    for (String option : options) {
      refusal = run("mount", "-t", "tmpfs", "-o", option, "none", folder.toString());
      if (refusal.isEmpty()) {
        break;
      }
    }
    Tmpfs mounted = new Tmpfs(folder);
    boolean goesOn = false;
    try {
      Requires.that(refusal.isEmpty(), "to be allowed to mount a tmpfs: " + refusal);
      goesOn = true;
      return mounted;
    } finally {
      if (!goesOn && refusal.isEmpty()) {
        mounted.close();
      }
    }
  }

  @Override
  public void close() throws IOException {
    assertThat(run("umount", folder.toString())).isEmpty();
  }

  /** Runs a command; what it said if it failed, else nothing. */
  private static String run(String... command) throws IOException {
    Process process;
    try {
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
    } catch (IOException e) {
      return String.valueOf(e.getMessage()); // the machine has no such command
    }
    String said =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
    int code;
    try {
      code = process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while %s ran".formatted(command[0]), e);
    }
    return code == 0 ? "" : said + " (exit code " + code + ")";
  }
}
