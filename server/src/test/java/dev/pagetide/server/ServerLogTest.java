package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.Requires;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a server that runs says of itself on standard error. */
final class ServerLogTest {
  private static List<String> lines(String log, String word) {
    return log.lines().filter(line -> line.contains(word)).toList();
  }

  @Test
  void main_started_saysWhatItRunsOnInOneLine() throws Exception {
    try (TestServer server = TestServer.start("--max-resident-bytes=64MiB")) {
      long pid = server.process().pid();
      Path directory = server.parent().resolve("d");

      String log = server.stopWithoutStackTrace();

      assertThat(lines(log, "started:"))
          .singleElement()
          .asString()
          .contains(
              " INFO  PagetideServer: started: version=",
              " dir=" + directory + " budget_bytes=67108864 pressure=dry-run pid=" + pid);
    }
  }

  /** Starts a JVM that ignores no signal, even if these tests run under nohup. */
  private static JavaProcess.Launch withDefaultSignals() throws IOException, InterruptedException {
    List<String> prefix = List.of("env", "--default-signal=HUP,INT");
    List<String> trial = new ArrayList<>(prefix);
    trial.add("true");
    boolean known = new ProcessBuilder(trial).redirectErrorStream(true).start().waitFor() == 0;
    Requires.that(known, "env --default-signal: the server must ignore no signal (coreutils 8.31)");
    return new JavaProcess.Launch(prefix, List.of());
  }

  @Tag(Requires.TAG)
  @ParameterizedTest
  @ValueSource(strings = {"TERM", "INT", "HUP"})
  void main_signalled_drainsEndsWith0AndSaysWhichSignal(String signal) throws Exception {
    try (TestServer server = TestServer.start(withDefaultSignals(), "--drain-wait=0ms")) {
      RawSession session = RawSession.open(server.connect(), 4);

      kill(signal, server.process().pid());

      Refusal.of(session.end()).is(Code.UNAVAILABLE, "SERVER_STOPPING");
      assertThat(server.process().awaitExit()).isEqualTo(0);
      String log = server.process().errors();
      assertThat(lines(log, "stopping:"))
          .singleElement()
          .asString()
          .endsWith("stopping: signal=" + signal + " sessions=1 drain_wait=0ms");
      assertThat(lines(log, "stopped:"))
          .singleElement()
          .asString()
          .containsPattern(
              "stopped: signal=" + signal + " sessions_ended_by_server=1 sessions_left=0 in \\d+");
    }
  }

  /** A JVM whose standard error is a full pipe that nobody reads, but does not close either. */
  private static JavaProcess.Launch withFullErrors(Path pipe) {
    String script =
        "mkfifo \"$0\" && exec 3<>\"$0\" && head -c 65536 /dev/zero >&3 && exec \"$@\" 2>&3";
    return new JavaProcess.Launch(List.of("sh", "-c", script, pipe.toString()), List.of());
  }

  @Test
  void main_nobodyReadsItsErrors_startsServesAndEnds(@TempDir Path folder) throws Exception {
    try (TestServer server =
        TestServer.start(
            withFullErrors(folder.resolve("errors")), "--drain-wait=0ms", "--max-sessions=1")) {
      ManagedChannel channel = server.connect();
      RawSession session = RawSession.open(channel, 4);
      for (int i = 0; i < 20; i++) {
        Refusal.of(() -> RawSession.open(channel, 4))
            .is(Code.RESOURCE_EXHAUSTED, "TOO_MANY_SESSIONS");
      }

      server.process().requestTermination();

      Refusal.of(session.end()).is(Code.UNAVAILABLE, "SERVER_STOPPING");
      assertThat(server.process().awaitExit()).isZero();
    }
  }

  /** The hook that ends a running server must not make a failed start a good one. */
  @Test
  void main_jvmHasNoSignals_endsWith1(@TempDir Path folder) throws Exception {
    JavaProcess.Launch without =
        new JavaProcess.Launch(
            List.of(), List.of("--limit-modules", "java.se,jdk.httpserver,jdk.management"));
    try (JavaProcess server =
        JavaProcess.start(
            without, PagetideServer.class, "--dir=" + folder.resolve("d"), "--http=off")) {
      assertThat(server.awaitExit()).isEqualTo(1);
      assertThat(server.errors()).contains("pagetide-server: this JVM does not tell of signals");
    }
  }

  @Test
  void main_hungUpUnderNohup_goesOn() throws Exception {
    try (TestServer server =
        TestServer.start(new JavaProcess.Launch(List.of("nohup"), List.of()))) {
      kill("HUP", server.process().pid());

      // The kernel has dropped the signal by the time kill has ended.
      RawSession session = RawSession.open(server.connect(), 4);
      assertThat(session.use(0, 1)).isNotEmpty();
      assertThat(lines(server.stopWithoutStackTrace(), "stopping: signal=TERM")).hasSize(1);
    }
  }

  @Test
  void main_clientsBeyondALimit_areNamedAndCannotFloodTheLog() throws Exception {
    try (TestServer server = TestServer.start("--max-sessions=1")) {
      ManagedChannel channel = server.connect();
      RawSession only = RawSession.open(channel, 4);
      for (int i = 0; i < 200; i++) {
        Refusal.of(() -> RawSession.open(channel, 4))
            .is(Code.RESOURCE_EXHAUSTED, "TOO_MANY_SESSIONS");
      }
      only.cancel();

      List<String> told = lines(server.stopWithoutStackTrace(), "cut off:");

      assertThat(told.getFirst())
          .endsWith(
              ("client cut off: uid=%d pid=%d limit=--max-sessions: 1 sessions are open, as many"
                      + " as --max-sessions=1 admits; close some, or raise it")
                  .formatted(HostLimits.ownUid(), ProcessHandle.current().pid()));
      assertThat(told.stream().mapToLong(ServerLogTest::told).sum()).isEqualTo(200);
      assertThat(told).as("of a flood").hasSizeLessThan(100);
    }
  }

  private static long told(String line) {
    var more = Pattern.compile(": (\\d+) more within").matcher(line);
    return more.find() ? Long.parseLong(more.group(1)) : 1;
  }

  private static void kill(String signal, long pid) throws IOException, InterruptedException {
    Process kill =
        new ProcessBuilder("sh", "-c", "kill -" + signal + " " + pid)
            .redirectErrorStream(true)
            .start();
    String said = new String(kill.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(kill.waitFor()).as(said).isZero();
  }
}
