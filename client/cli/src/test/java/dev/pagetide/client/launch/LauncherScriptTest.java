package dev.pagetide.client.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the launchers do where the machine or the caller is odd; Java itself is a script here. */
final class LauncherScriptTest {
  private static final String SERVER = "../../server/bin/pagetide-server";
  private static final String CLIENT = "../bin/pagetide";

  @TempDir Path temporary = Path.of("");

  /** A JDK whose {@code java} is the script {@code java}. */
  private Path jdk(String java) throws IOException {
    Path home = temporary.resolve("jdk");
    Path command = home.resolve("bin/java");
    Files.createDirectories(home.resolve("bin"));
    Files.writeString(home.resolve("release"), "JAVA_VERSION=\"25\"\n");
    Files.writeString(command, "#!/bin/sh\n" + java + "\n");
    Files.setPosixFilePermissions(command, PosixFilePermissions.fromString("rwxr-xr-x"));
    return home;
  }

  private record Ended(int status, String out) {}

  private Ended run(Path directory, Path jdk, String path, String... command)
      throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectError(ProcessBuilder.Redirect.DISCARD);
    builder.environment().put("PAGETIDE_JAVA_HOME", jdk.toString());
    builder.environment().put("PATH", path);
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Ended(process.waitFor(), out);
  }

  /** A folder with links to some commands and to no others. */
  private Path commands(String... names) throws IOException {
    Path folder = Files.createDirectory(temporary.resolve("commands"));
    for (String name : names) {
      Files.createSymbolicLink(
          folder.resolve(name), Requires.command(name, "the launchers call it"));
    }
    return folder;
  }

  /** Where a step fails, such as for want of processes, no jar near the caller is to be run. */
  @Tag(Requires.TAG)
  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_cannotTellWhereItLies_runsNoJarOfTheWorkingDirectory(String original)
      throws Exception {
    Path commands = commands("sh", "dirname", "sed", "find", "cmp", "stat");
    Launcher launcher = Launcher.copyOf(Path.of(original), temporary.resolve("module"));
    Path directory = Files.createDirectories(temporary.resolve("near/here"));
    Path target = Files.createDirectories(temporary.resolve("near/target"));
    Files.copy(launcher.jar(), target.resolve(launcher.jar().getFileName().toString()));

    Ended ended =
        run(directory, jdk("echo java ran"), commands.toString(), launcher.script().toString());

    assertThat(ended.out()).isEmpty();
    assertThat(ended.status()).isNotZero();
  }

  /** Else the JVM's own first file would be read as standard input. */
  @Test
  void start_standardInputIsClosed_cannotBeRead() throws Exception {
    Launcher launcher = Launcher.copyOf(Path.of(CLIENT), temporary.resolve("module"));
    List<String> command = new ArrayList<>(List.of("sh", "-c", "exec \"$0\" <&-"));
    command.add(launcher.script().toString());

    Ended ended =
        run(
            temporary,
            jdk("readlink /proc/$$/fd/0; cat"),
            System.getenv("PATH"),
            command.toArray(String[]::new));

    assertThat(ended.out()).isEqualTo("/dev/null\n");
    assertThat(ended.status()).as("reading it is refused").isNotZero();
  }
}
