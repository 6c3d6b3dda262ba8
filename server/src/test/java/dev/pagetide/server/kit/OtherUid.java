package dev.pagetide.server.kit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A second user of this machine, taken on with setpriv. Needs {@code Requires.otherUid()}. */
public final class OtherUid {
  private static final String NOBODY = "65534";

  private OtherUid() {}

  /**
   * Runs a main class and returns what it printed. Our class path is copied to where that user can
   * read it: our own may lie in a home that is closed to others.
   *
   * @param folder where to copy it
   */
  public static List<String> run(Path folder, Class<?> main, String... arguments) throws Exception {
    Files.setAttribute(folder, "unix:mode", 0755);
    List<String> classPath = new ArrayList<>();
    int number = 0;
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      Path copy = folder.resolve("cp" + number++ + (entry.endsWith(".jar") ? ".jar" : ""));
      if (Files.exists(Path.of(entry))) {
        copyTree(Path.of(entry), copy);
        classPath.add(copy.toString());
      }
    }
    List<String> command =
        new ArrayList<>(
            List.of(
                "setpriv",
                "--reuid=" + NOBODY,
                "--regid=" + NOBODY,
                "--clear-groups",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                String.join(File.pathSeparator, classPath),
                main.getName()));
    command.addAll(List.of(arguments));
    Path output = folder.resolve("output");
    Process process =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectOutput(output.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return Files.readAllLines(output);
  }

  private static void copyTree(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path copy = to.resolve(from.relativize(file).toString());
        Files.copy(file, file.equals(from) ? to : copy);
      }
    }
  }
}
