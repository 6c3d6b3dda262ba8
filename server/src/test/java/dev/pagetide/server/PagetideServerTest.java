package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.config.ServerOption;
import dev.pagetide.testkit.JavaProcess;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class PagetideServerTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @Test
  void run_help_listsEveryOptionWithItsDefault() {
    int exit = run("--help");

    assertThat(exit).isEqualTo(0);
    // Lines are wrapped, so spaces are compared as one.
    String help = text(out).replaceAll("\\s+", " ");
    for (ServerOption option : ServerOption.values()) {
      assertThat(help)
          .contains(option.flag() + "=" + option.valueLabel() + " " + option.meaning())
          .contains("Default: " + option.defaultText() + ".");
    }
    assertThat(text(err)).isEmpty();
  }

  @Test
  void run_version_printsOneLine() {
    int exit = run("--version");

    assertThat(exit).isEqualTo(0);
    assertThat(text(out)).matches("pagetide-server .+\n");
    assertThat(text(err)).isEmpty();
  }

  @Test
  void run_badOptions_namesAllAtOnceAndEndsWith2() {
    int exit =
        run(
            "--max-sessions=abc",
            "--max-sesions=3",
            "word",
            "@file",
            "--drain-wait=1s",
            "--drain-wait=2s",
            "--listen",
            "8.8.8.8:1",
            "--dir");

    assertThat(exit).isEqualTo(2);
    assertThat(text(out)).isEmpty();
    assertThat(text(err).lines())
        .containsExactlyInAnyOrder(
            "pagetide-server: --max-sesions=3: unknown option; --help lists those there are",
            "pagetide-server: word: not an option; --help lists those there are",
            "pagetide-server: @file: not an option; --help lists those there are",
            "pagetide-server: --drain-wait: given more than once; give it once",
            "pagetide-server: --dir: value missing; give --dir=DIR",
            "pagetide-server: --listen=8.8.8.8:1: not a loopback address; beyond loopback a"
                + " listener needs mutual TLS, which this version does not have: listen on"
                + " 127.0.0.1 or [::1]",
            "pagetide-server: --max-sessions=abc: not a whole number; write a whole number as"
                + " 1024");
  }

  @Test
  void main_badOption_endsWith2() throws Exception {
    try (JavaProcess server = JavaProcess.start(PagetideServer.class, "--drain-wait=5")) {
      assertThat(server.readLine()).isNull();
      assertThat(server.awaitExit()).isEqualTo(2);
      assertThat(server.errors())
          .isEqualTo(
              "pagetide-server: --drain-wait=5: unit missing; write a time as 500ms or 2s\n");
    }
  }

  @Test
  void main_unfitDirectory_endsWith1AndOneLine() throws Exception {
    try (JavaProcess server =
        JavaProcess.start(PagetideServer.class, "--dir=/nonexistent/d", "--http=off")) {
      assertThat(server.readLine()).isNull();
      assertThat(server.awaitExit()).isEqualTo(1);
      assertThat(server.errors())
          .isEqualTo(
              "pagetide-server: /nonexistent/d cannot be made: /nonexistent does not exist; create"
                  + " that, or name another --dir.\n");
    }
  }

  @Test
  void main_terminated_drainsAndEndsWith0() throws Exception {
    Path parent = Files.createTempDirectory(Path.of("/tmp"), "pagetide-test");
    Path directory = parent.resolve("d");
    try (JavaProcess server =
        JavaProcess.start(PagetideServer.class, "--dir=" + directory, "--http=off")) {
      assertThat(server.readLine())
          .isEqualTo(
              "ready grpc=unix:%s/grpc.sock http=off pid=%d".formatted(directory, server.pid()));

      int exit = server.terminate();

      assertThat(exit).isEqualTo(0);
      assertThat(server.readLine()).isNull();
      assertThat(directory.resolve("grpc.sock")).doesNotExist();
      assertThat(directory.resolve("lock")).isEmptyFile();
    } finally {
      remove(directory.resolve("lock"), directory, parent);
    }
  }

  @Test
  void main_listenOnPortZero_readyLineTellsThePortThatIsOpen() throws Exception {
    Path parent = Files.createTempDirectory(Path.of("/tmp"), "pagetide-test");
    Path directory = parent.resolve("d");
    try (JavaProcess server =
        JavaProcess.start(
            PagetideServer.class, "--dir=" + directory, "--http=off", "--listen=127.0.0.1:0")) {
      String ready = String.valueOf(server.readLine());
      assertThat(ready)
          .matches("ready grpc=\\S+ http=off pid=\\d+ listen=127\\.0\\.0\\.1:[1-9]\\d*");
      int port = Integer.parseInt(ready.substring(ready.lastIndexOf(':') + 1));

      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
        assertThat(socket.isConnected()).isTrue();
      }
      assertThat(server.terminate()).isZero();
    } finally {
      remove(directory.resolve("lock"), directory, parent);
    }
  }

  @Test
  void main_secondServer_isToldWhoHoldsTheDirectory() throws Exception {
    Path parent = Files.createTempDirectory(Path.of("/tmp"), "pagetide-test");
    Path directory = parent.resolve("d");
    String[] arguments = {"--dir=" + directory, "--http=off"};
    try (JavaProcess first = JavaProcess.start(PagetideServer.class, arguments)) {
      assertThat(first.readLine()).startsWith("ready ");
      try (JavaProcess second = JavaProcess.start(PagetideServer.class, arguments)) {
        assertThat(second.readLine()).isNull();
        assertThat(second.awaitExit()).isEqualTo(1);
        assertThat(second.errors())
            .isEqualTo(
                ("pagetide-server: %s is served by the Pagetide server with pid %d; stop that one,"
                        + " or name another --dir.\n")
                    .formatted(directory, first.pid()));
      }
      assertThat(first.terminate()).isEqualTo(0);
    } finally {
      remove(directory.resolve("lock"), directory, parent);
    }
  }

  private int run(String... arguments) {
    return new PagetideServer(Map.of(), printer(out), printer(err)).run(arguments);
  }

  private static PrintStream printer(ByteArrayOutputStream bytes) {
    return new PrintStream(bytes, true, StandardCharsets.UTF_8);
  }

  private static String text(ByteArrayOutputStream bytes) {
    return bytes.toString(StandardCharsets.UTF_8);
  }

  private static void remove(Path... files) throws IOException {
    for (Path file : files) {
      Files.deleteIfExists(file);
    }
  }
}
