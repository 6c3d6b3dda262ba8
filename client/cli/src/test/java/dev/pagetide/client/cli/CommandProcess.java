package dev.pagetide.client.cli;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The {@code pagetide} command as a process of its own.
 *
 * @param status its exit status
 * @param out what reached the shell's standard output
 * @param err what it wrote to standard error
 */
record CommandProcess(int status, String out, String err) {

  /** The command that runs it; JVM options go before the classpath. */
  static List<String> command(String... jvmOptions) {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + File.separator + "bin" + File.separator + "java");
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"));
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of(jvmOptions));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add("dev.pagetide.client.cli.Pagetide");
    return command;
  }

  /** What a shell's {@code script} does, in which {@code "$@"} is the command. */
  static CommandProcess inShell(
      Path temporary, Map<String, String> environment, String script, String... jvmOptions)
      throws IOException, InterruptedException {
    Path out = Files.createTempFile(temporary, "out", "");
    Path err = Files.createTempFile(temporary, "err", "");
    List<String> shell = new ArrayList<>(List.of("/bin/sh", "-c", script, "sh"));
    shell.addAll(command(jvmOptions));
    ProcessBuilder builder =
        new ProcessBuilder(shell)
            .redirectInput(new File("/dev/null"))
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    builder.environment().putAll(environment);
    int status = builder.start().waitFor();
    return new CommandProcess(
        status,
        Files.readString(out, StandardCharsets.ISO_8859_1),
        Files.readString(err, StandardCharsets.ISO_8859_1));
  }
}
