package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The command line without a server: its help, its refusals. */
final class PagetideTest {

  @TempDir Path temporary = Path.of("");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", "open", "use", "stop", "read", "write", "zero", "range", "shrink", "count", "ranges",
        "receive", "send", "help", "man"
      })
  void help_everyCommand_saysWhatItDoesAndItsDefaults(String command) {
    CommandRun run = command.isEmpty() ? CommandRun.of("--help") : CommandRun.of(command, "--help");

    assertThat(run.status()).isZero();
    assertThat(run.out()).contains("Usage: pagetide", "--dir", "--help", "default:");
    assertThat(run.err()).isEmpty();
  }

  /** The manifest of the packaged jar has the project's version; these classes are in no jar. */
  @Test
  void version_classesWithoutAManifest_isNotMadeUp() {
    assertThat(CommandRun.of("--version").out().strip()).isEqualTo("pagetide (not packaged)");
  }

  @Test
  void use_endBeforeStart_isMisuse() {
    CommandRun run = CommandRun.of("use", "4..0");

    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err())
        .isEqualTo(
            "pagetide: PAGES: '4..0' ends before it starts; give the lower page first, as in 0..4;"
                + " see 'pagetide use --help'\n");
  }

  @Test
  void send_nameBeginsWithAt_isANameAndNoFileOfArguments(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("arguments"), "--help\n");

    CommandRun run =
        CommandRun.of("--dir", folder.resolve("none").toString(), "send", "@" + file, "/dev/null");

    assertThat(run.out()).isEmpty();
    assertThat(run.err()).contains("no server listens at");
  }

  @Test
  void ranges_emptyDirectory_isMisuse() {
    CommandRun run = CommandRun.of("--dir", "", "ranges");

    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err()).contains("--dir", "an empty path names nothing");
  }

  @Test
  void help_ofAll_doesNotShowTheDemosInnards() {
    assertThat(CommandRun.of("--help").out()).contains("demo").doesNotContain("demo-client");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "nonsense",
        "use",
        "use 0-4",
        "use 4..4",
        "use 2147483648",
        "stop 4..0",
        "shrink -3",
        "shrink -- -3",
        "shrink 1 2",
        "count --range -1",
        "count --nonsense",
        "cuont",
        "open",
        "open --size 4M",
        "read 0",
        "shrink x",
        "send",
        "send x --code many",
        "send x --uid -1",
        "send x --timeout 5s",
        "send x --two-way --timeout 5",
        "receive",
        "receive x --count 0",
        "receive x --size 4M",
        "count --connect 192.0.2.1:1",
        "count --connect 127.0.0.1:1 --dir /tmp",
      })
  void run_misused_exits2AndSaysHowToUseIt(String line) {
    CommandRun run = CommandRun.of(line.split(" ", -1));

    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err().lines()).hasSize(1);
    assertThat(run.err())
        .startsWith("pagetide: ")
        .matches("(?s).*; see 'pagetide[a-z ]* --help'\n");
    assertThat(run.out()).isEmpty();
  }

  @Test
  void run_noCommand_exits2() {
    CommandRun run = CommandRun.of();

    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err()).isEqualTo("pagetide: missing command; see 'pagetide --help'\n");
  }

  @Test
  void run_noServer_exits1WithOneSentence() {
    CommandRun run = CommandRun.of("count", "--dir", temporary.toString());

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err())
        .isEqualTo(
            "pagetide: no server listens at %1$s/grpc.sock; start one with 'pagetide-server --dir"
                    .formatted(temporary)
                + " %1$s', or name another's directory with --dir\n".formatted(temporary));
    assertThat(run.out()).isEmpty();
  }

  @Test
  void run_directoryMissing_saysWhereAServerWouldListen() {
    Path missing = temporary.resolve("none");

    CommandRun run = CommandRun.of("count", "--dir", missing.toString());

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).startsWith("pagetide: no server listens at " + missing + "/grpc.sock; ");
  }

  @Test
  void run_nothingAtTcpPort_saysHowToStartAServerThere() throws IOException {
    String address;
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      address = "127.0.0.1:" + taken.getLocalPort();
    }

    CommandRun run = CommandRun.of("count", "--connect", address);

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err())
        .startsWith("pagetide: no server listens at " + address + "; start one with")
        .contains("pagetide-server --listen " + address);
  }

  @Test
  void open_unknownAccess_isMisuseAndListsTheKnown() {
    CommandRun run = CommandRun.of("open", "--size", "4MiB", "--access", "magic");

    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err())
        .isEqualTo(
            "pagetide: --access: 'magic' is none of auto, shared, remote; see 'pagetide open"
                + " --help'\n");
  }

  @Test
  void run_argumentThatWouldSteerATerminal_isHarmless() {
    CommandRun run = CommandRun.of("use", "a\u001b[2J\nb");

    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err().lines()).hasSize(1);
    assertThat(run.err()).contains("a\\u{1b}[2J\\u{a}b");
  }

  @Test
  void run_noSession_saysHowToGetOne() {
    CommandRun run = CommandRun.of("range", "--dir", temporary.toString());

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).contains("pagetide open");
  }

  @ParameterizedTest
  @ValueSource(strings = {"demo --dir=here", "--dir=here demo", "demo --connect=x:1"})
  void demo_anotherServerNamed_isMisuse(String arguments) {
    CommandRun run = CommandRun.of(arguments.split(" "));

    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err()).contains("leave out --dir and --connect").hasLineCount(1);
    assertThat(CommandRun.of("demo", "--help").out()).doesNotContain("--dir", "--connect");
  }

  @Test
  void demo_noServerToRun_failsAndSaysHowToNameOne() {
    CommandRun run =
        CommandRun.of(
            Map.of("PAGETIDE_SERVER", temporary.resolve("none").toString()), new byte[0], "demo");

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).contains("the demo failed").contains("PAGETIDE_SERVER");
  }

  @Test
  void demo_serverThatCannotStart_keepsItsLastWordsInLines() throws IOException {
    Path launcher = temporary.resolve("server");
    Files.writeString(launcher, "#!/bin/sh\necho first >&2\necho 'sec\033[2Jond' >&2\nexit 1\n");
    Files.setPosixFilePermissions(launcher, PosixFilePermissions.fromString("rwx------"));

    CommandRun run =
        CommandRun.of(Map.of("PAGETIDE_SERVER", launcher.toString()), new byte[0], "demo");

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).contains("\nfirst\nsec").doesNotContain("\u001b");
  }
}
