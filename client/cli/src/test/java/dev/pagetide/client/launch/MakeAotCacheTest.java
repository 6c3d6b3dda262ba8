package dev.pagetide.client.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.client.launch.Launcher.Run;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the build runs to make the AOT cache: it makes a whole one, or tells why there is none. */
final class MakeAotCacheTest {

  private static final Path CLIENT = Path.of("../bin/pagetide");

  @TempDir Path temporary = Path.of("");

  @Test
  void make_trainingSucceeds_launcherUsesTheCache() throws IOException, InterruptedException {
    Launcher launcher = Launcher.copyOf(CLIENT, temporary.resolve("module with blanks"));

    Run made = launcher.makeCache(Map.of());

    assertThat(made.err()).isEmpty();
    assertThat(made.out()).isEmpty();
    assertThat(made.status()).isZero();
    assertThat(names(launcher))
        .containsExactly("pagetide.aot", "pagetide.aot.release", "pagetide.jar");
    Run run = launcher.start("a");
    assertThat(run.usedCache()).isTrue();
    assertThat(run.err().lines()).hasSize(1);
    assertThat(run.out()).isEqualTo("arguments a\n");
  }

  @Test
  void make_jarBroken_warnsAndLeavesNothing() throws IOException, InterruptedException {
    Launcher launcher = Launcher.copyOf(CLIENT, temporary.resolve("module"));
    Files.writeString(launcher.jar(), "no jar");
    Files.writeString(launcher.cache(), "of the jar before");
    Files.writeString(launcher.release(), "of the jar before");

    Run made = launcher.makeCache(Map.of());

    assertThat(made.err()).startsWith("[WARNING] no AOT cache for pagetide").hasLineCount(1);
    assertThat(made.status()).isZero();
    assertThat(names(launcher)).containsExactly("pagetide.jar");
  }

  @Test
  void make_groupMayWriteWhatTheBuildMade_closesItToTheGroupAndTheCacheIsUsed()
      throws IOException, InterruptedException {
    Launcher launcher = Launcher.copyOf(CLIENT, temporary.resolve("module"));
    Files.setPosixFilePermissions(launcher.target(), PosixFilePermissions.fromString("rwxrwxr-x"));
    Files.setPosixFilePermissions(launcher.jar(), PosixFilePermissions.fromString("rw-rw-rw-"));
    FileTime built = Files.getLastModifiedTime(launcher.jar());

    Run made = launcher.makeCache(Map.of());

    assertThat(made.err()).isEmpty();
    assertThat(made.status()).isZero();
    assertThat(rights(launcher.target())).isEqualTo("rwxr-xr-x");
    assertThat(rights(launcher.jar())).isEqualTo("rw-r--r--");
    assertThat(Files.getLastModifiedTime(launcher.jar())).isEqualTo(built);
    assertThat(launcher.start("a").usedCache()).isTrue();
  }

  @Test
  void make_optionsInTheEnvironment_doNotReachTheTraining()
      throws IOException, InterruptedException {
    Launcher launcher = Launcher.copyOf(CLIENT, temporary.resolve("module"));
    writeServer("env | sed -n 's/^PAGETIDE_/ /p' | sort | tr -d '\n' >&2\necho . >&2\nexit 1\n");

    Run made =
        launcher.makeCache(
            Map.of("PAGETIDE_MAX_SESSIONS", "none", "PAGETIDE_JAVA_OPTS", "-no-such-option"));

    assertThat(made.err())
        .containsPattern("the server was not ready:  JAVA_HOME=\\S+ JAVA_OPTS=\\.\n")
        .hasLineCount(1);
    assertThat(names(launcher)).containsExactly("pagetide.jar");
  }

  @Test
  void make_commandFails_warnsAndLeavesNothing() throws IOException, InterruptedException {
    Launcher launcher = Launcher.copyOf(CLIENT, temporary.resolve("module"));

    Run made = launcher.makeCache(Map.of("TMPDIR", temporary.resolve("none").toString()));

    assertThat(made.err()).contains("[WARNING] no AOT cache for pagetide");
    assertThat(made.status()).isZero();
    assertThat(names(launcher)).containsExactly("pagetide.jar");
  }

  @Test
  void make_trainingEndsWithAnError_warnsAndLeavesNothing()
      throws IOException, InterruptedException {
    Launcher launcher = Launcher.copyOf(CLIENT, temporary.resolve("module"));
    writeServer("echo broken >&2\nexit 1\n");

    Run made = launcher.makeCache(Map.of());

    assertThat(made.err()).contains("the server was not ready: broken").hasLineCount(1);
    assertThat(made.status()).isZero();
    assertThat(names(launcher)).containsExactly("pagetide.jar");
  }

  /** Makes the launcher of the server that the client is trained with. */
  private void writeServer(String script) throws IOException {
    Path server = Files.createDirectories(temporary.resolve("server/bin"));
    Files.writeString(server.resolve("pagetide-server"), "#!/bin/sh\n" + script);
    Files.setPosixFilePermissions(
        server.resolve("pagetide-server"), PosixFilePermissions.fromString("rwxr-xr-x"));
    Files.createFile(
        Files.createDirectories(temporary.resolve("server/target")).resolve("pagetide-server.jar"));
  }

  private static String rights(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  private static Stream<String> names(Launcher launcher) throws IOException {
    try (Stream<Path> files = Files.list(launcher.target())) {
      return files.map(file -> file.getFileName().toString()).sorted().toList().stream();
    }
  }
}
