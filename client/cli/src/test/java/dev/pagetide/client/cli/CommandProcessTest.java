package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.gson.JsonParser;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a shell sees of the command: its streams, its status, its locale. */
final class CommandProcessTest {

  private static final String[] ARABIC_DIGITS = {
    "-Duser.language=ar", "-Duser.country=EG", "-Duser.extensions=nu-arab"
  };

  @TempDir Path temporary = Path.of("");

  @Test
  void read_readerEndsEarly_endsQuietlyAsSigpipeWould() throws IOException, InterruptedException {
    try (ServerProcess server = ServerProcess.start()) {
      Path file = temporary.resolve("session");
      Map<String, String> environment =
          Map.of(
              "PAGETIDE_DIR", server.directory().toString(), "PAGETIDE_SESSION", file.toString());
      try (OpenSession _ = OpenSession.start(environment, file, "--size", "1MiB")) {
        CommandRun used = CommandRun.of(environment, new byte[0], "use", "0..256");
        assertThat(used.status()).isZero();

        CommandProcess run =
            CommandProcess.inShell(
                temporary,
                environment,
                "{ \"$@\" read 0 1MiB; echo $? >"
                    + temporary
                    + "/status; } | head -c 3;"
                    + " exit $(cat "
                    + temporary
                    + "/status)");

        assertThat(run.err()).isEmpty();
        assertThat(run.out()).isEqualTo("\0\0\0");
        assertThat(run.status()).isEqualTo(141);
      }
    }
  }

  /** Such a file tells neither its size nor where it ends. */
  @Test
  void write_standardInputIsAFileOfProc_writesItsContent()
      throws IOException, InterruptedException {
    String version = Files.readString(Path.of("/proc/version"));
    try (ServerProcess server = ServerProcess.start()) {
      Path file = temporary.resolve("session");
      Map<String, String> environment =
          Map.of(
              "PAGETIDE_DIR", server.directory().toString(), "PAGETIDE_SESSION", file.toString());
      try (OpenSession _ = OpenSession.start(environment, file, "--size", "1MiB")) {
        CommandProcess run =
            CommandProcess.inShell(
                temporary,
                environment,
                "\"$@\" use 0..1 >/dev/null && \"$@\" write 0 </proc/version >/dev/null"
                    + " && \"$@\" read 0 "
                    + version.length());

        assertThat(run.err()).isEmpty();
        assertThat(run.out()).isEqualTo(version);
      }
    }
  }

  @Test
  void help_outputOnAFullDisk_fails() throws IOException, InterruptedException {
    CommandProcess run =
        CommandProcess.inShell(temporary, Map.of("LC_ALL", "C"), "\"$@\" --help >/dev/full");

    assertThat(run.err())
        .isEqualTo("pagetide: standard output cannot be written: No space left on device\n");
    assertThat(run.status()).isEqualTo(1);
  }

  @Test
  void receive_outputOnAFullDisk_saysWhy() throws IOException {
    try (ServerProcess server = ServerProcess.start()) {
      Map<String, String> environment =
          Map.of("LC_ALL", "C", "PAGETIDE_DIR", server.directory().toString());
      CompletableFuture<CommandProcess> receiving =
          CompletableFuture.supplyAsync(
              () -> inShell(environment, "\"$@\" receive inbox >/dev/full"),
              task -> Thread.ofPlatform().daemon().start(task));
      await()
          .atMost(Duration.ofMinutes(1))
          .until(() ->
              receiving.isDone()
                  || CommandRun.of(environment, new byte[] {'x'}, "send", "inbox").status() == 0);

      CommandProcess received = receiving.join();

      assertThat(received.err().lines().toList().getLast())
          .isEqualTo("pagetide: standard output cannot be written: No space left on device");
      assertThat(received.status()).isEqualTo(1);
    }
  }

  private CommandProcess inShell(Map<String, String> environment, String script) {
    try {
      return CommandProcess.inShell(temporary, environment, script);
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** The reader has not ended: the pipe is full, and its writes do not block. */
  @Test
  @Tag(Requires.TAG)
  void help_pipeFullAndNotBlocking_saysSo() throws IOException, InterruptedException {
    Requires.command("python3", "to make a pipe that does not block");
    Path script =
        Files.writeString(
            temporary.resolve("full.py"),
            """
            import os, subprocess, sys
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            try:
                while True:
                    os.write(writer, b'x' * 65536)
            except BlockingIOError:
                pass
            sys.exit(subprocess.run(sys.argv[1:], stdout=writer).returncode)
            """);

    CommandProcess run =
        CommandProcess.inShell(
            temporary, Map.of("LC_ALL", "C"), "python3 " + script + " \"$@\" --help");

    assertThat(run.err())
        .isEqualTo(
            "pagetide: standard output cannot be written: Resource temporarily unavailable\n");
    assertThat(run.status()).isEqualTo(1);
  }

  @Test
  void send_endlessInput_saysTheLimitAndHowToRaiseIt() throws IOException, InterruptedException {
    for (String input : new String[] {"</dev/zero", "/dev/zero"}) {
      CommandProcess run =
          CommandProcess.inShell(temporary, Map.of(), "\"$@\" send inbox " + input, "-Xmx32m");

      assertThat(run.err())
          .as(input)
          .matches(
              "pagetide: (standard input|/dev/zero) has more than \\d+ bytes, .*a quarter of Java's"
                  + " heap \\(now \\d+ bytes\\), with -Xmx in PAGETIDE_JAVA_OPTS\n");
      assertThat(run.status()).isEqualTo(1);
    }
  }

  @Test
  void count_arabicLocale_printsTheDigitsThatScriptsRead()
      throws IOException, InterruptedException {
    try (ServerProcess server = ServerProcess.start()) {
      CommandProcess run =
          CommandProcess.inShell(
              temporary,
              Map.of("PAGETIDE_DIR", server.directory().toString()),
              "\"$@\" count --all",
              ARABIC_DIGITS);

      assertThat(run.err()).isEmpty();
      assertThat(run.out()).matches("0\nresident 0 of \\d+ pages, available 0, waiting 0\n");
    }
  }

  @Test
  void topJson_arabicLocale_isJson() throws IOException, InterruptedException {
    try (ServerProcess server = ServerProcess.start()) {
      CommandProcess run =
          CommandProcess.inShell(
              temporary,
              Map.of("PAGETIDE_DIR", server.directory().toString()),
              "\"$@\" top --json --once --interval 999999999h",
              ARABIC_DIGITS);

      assertThat(run.err()).isEmpty();
      assertThat(run.out()).matches("[ -~]+\n");
      assertThat(JsonParser.parseString(run.out()).getAsJsonObject().get("sessions").getAsInt())
          .isZero();
    }
  }

  @Test
  void server_arabicLocale_refusesWithTheDigitsThatScriptsRead()
      throws IOException, InterruptedException {
    Path directory = temporary.resolve("run");
    List<String> command = new ArrayList<>(ServerProcess.command());
    command.addAll(1, List.of(ARABIC_DIGITS));
    command.addAll(List.of("--dir", directory.toString(), "--http", "off"));
    Process server =
        new ProcessBuilder(command).redirectError(temporary.resolve("log").toFile()).start();
    try {
      assertThat(server.inputReader().readLine()).startsWith("ready ");

      CommandRun run =
          CommandRun.of(
              "open", "--size", "1", "--dir", directory.toString(), "--session-file", "x");

      assertThat(run.err())
          .isEqualTo("pagetide: --size 1 is less than one page; ask for at least 4096 bytes\n");
    } finally {
      server.destroyForcibly().waitFor();
    }
  }

  @Test
  void run_lettersThatTheLocaleLacks_saysWhyAndWhatToSet()
      throws IOException, InterruptedException {
    for (String line :
        new String[] {
          "\"$@\" count --dir \"$d\"",
          "PAGETIDE_DIR=\"$d\" \"$@\" count",
          "\"$@\" range --session-file \"$d\"",
          "PAGETIDE_SESSION=\"$d\" \"$@\" range",
          "XDG_RUNTIME_DIR=\"$d\" \"$@\" range",
          "\"$@\" send \"$d\"",
          "\"$@\" receive \"$d\"",
          "\"$@\" open --size 64KiB --name=\"$d\""
        }) {
      CommandProcess run =
          CommandProcess.inShell(
              temporary, Map.of("LC_ALL", "C"), "d=$(printf '/tmp/h\\303\\266hle'); " + line);

      assertThat(run.err()).as(line).contains("ANSI_X3.4-1968", "set LC_ALL=C.UTF-8");
      assertThat(run.err().lines()).as(line).hasSize(1);
      assertThat(run.status()).as(line).isIn(1, 2);
    }
  }
}
