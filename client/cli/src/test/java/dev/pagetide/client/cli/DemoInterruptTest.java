package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.ServerProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ctrl-C in the middle of the demo, as a terminal sends it, to all its processes; and to one. */
final class DemoInterruptTest {
  @TempDir Path temporary = Path.of("");

  private Path launcher() throws IOException {
    Path launcher =
        Files.writeString(
            temporary.resolve("pagetide-server"),
            "#!/bin/sh\nexec '" + String.join("' '", ServerProcess.command()) + "' \"$@\"\n");
    Files.setPosixFilePermissions(launcher, PosixFilePermissions.fromString("rwx------"));
    return launcher;
  }

  /** The demo in a process group of its own, in which nobody has had SIGINT ignored. */
  private Process start(Path folder, Path err) throws IOException {
    List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT", "setsid"));
    command.addAll(CommandProcess.command("-Djava.io.tmpdir=" + folder));
    command.add("demo");
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(err.toFile());
    builder.environment().put("PAGETIDE_SERVER", launcher().toString());
    return builder.start();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void demo_interruptedInTheMiddle_endsWith130AndLeavesNothing(boolean all) throws Exception {
    Path folder = Files.createTempDirectory(Path.of("/tmp"), "pagetide-test");
    Path err = temporary.resolve("err");
    Process demo = start(folder, err);
    try (BufferedReader out = demo.inputReader(StandardCharsets.UTF_8)) {
      String line = "";
      while (!line.contains("bob is process")) {
        line = out.readLine();
        assertThat(line).as(Files.readString(err)).isNotNull();
      }
      List<ProcessHandle> children = demo.descendants().toList();
      assertThat(children).hasSizeGreaterThanOrEqualTo(3);

      String whom = (all ? "-" : "") + demo.pid();
      assertThat(new ProcessBuilder("kill", "-INT", "--", whom).start().waitFor()).isZero();

      String rest = String.join("\n", out.lines().toList());
      assertThat(demo.waitFor()).as(Files.readString(err)).isEqualTo(130);
      assertThat(Files.readString(err)).isEmpty();
      assertThat(rest).doesNotContain("Exception", "every check held");
      await().until(() -> children.stream().noneMatch(ProcessHandle::isAlive));
      try (Stream<Path> left = Files.list(folder)) {
        assertThat(left.map(path -> path.getFileName().toString()))
            .noneMatch(name -> name.startsWith("pagetide-demo-"));
      }
    } finally {
      demo.descendants().forEach(ProcessHandle::destroyForcibly);
      demo.destroyForcibly().waitFor();
      try (Stream<Path> left = Files.walk(folder)) {
        for (Path path : left.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
  }
}
