package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.SessionTicket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The file of a session: whose it is, where it is, and what becomes of a dead owner's. */
final class SessionFileTest {

  private static final SessionTicket TICKET = new SessionTicket("secret", 3, 4096, 64, 1 << 20, 17);
  private static final int RACERS = 8;

  @TempDir Path temporary = Path.of("");

  @Test
  void create_noFile_isReadableByItsOwnerOnlyAndGoesAtTheEnd() throws IOException {
    Path path = temporary.resolve("s");

    try (SessionFile file = SessionFile.create(path, TICKET)) {
      assertThat(file).isNotNull();
      assertThat(Files.getPosixFilePermissions(path))
          .isEqualTo(PosixFilePermissions.fromString("rw-------"));
      assertThat(SessionFile.read(path)).isEqualTo(TICKET);
      assertThat(files()).containsExactly("s");
    }

    assertThat(files()).isEmpty();
  }

  @Test
  void create_heldByAnother_isRefusedAndNamesTheProcess() throws IOException {
    Path path = temporary.resolve("s");
    try (SessionFile _ = SessionFile.create(path, TICKET)) {
      assertThatThrownBy(
              () -> SessionFile.create(path, new SessionTicket("other", 4, 4096, 64, 1, 17)))
          .isInstanceOf(CommandFailure.class)
          .hasMessageContaining("(process " + ProcessHandle.current().pid() + ") holds a session");

      assertThat(SessionFile.read(path)).isEqualTo(TICKET);
      assertThat(files()).containsExactly("s");
    }
  }

  @Test
  void create_deadOwnersFile_isReplaced() throws IOException {
    Path path = dead(temporary.resolve("s"));
    SessionTicket mine = new SessionTicket("other", 4, 4096, 64, 1, 17);

    try (SessionFile _ = SessionFile.create(path, mine)) {
      assertThat(SessionFile.read(path)).isEqualTo(mine);
      assertThat(Files.getPosixFilePermissions(path))
          .isEqualTo(PosixFilePermissions.fromString("rw-------"));
      assertThat(files()).containsExactly("s");
    }
  }

  /** A session file whose lock nobody holds, as a killed process leaves it. */
  private static Path dead(Path path) throws IOException {
    byte[] bytes;
    try (SessionFile _ = SessionFile.create(path, TICKET)) {
      bytes = Files.readAllBytes(path);
    }
    return Files.write(path, bytes);
  }

  @Test
  void create_manyAtOnceOverADeadOnes_oneGetsIt() throws Exception {
    Path path = dead(temporary.resolve("s"));
    List<Callable<SessionFile>> racers = new ArrayList<>();
    for (int i = 0; i < RACERS; i++) {
      racers.add(() -> SessionFile.create(path, TICKET));
    }
    List<SessionFile> won = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(RACERS)) {
      for (Future<SessionFile> racer : threads.invokeAll(racers)) {
        switch (racer.state()) {
          case SUCCESS -> won.add(racer.resultNow());
          default -> assertThat(racer.exceptionNow()).hasMessageContaining("holds a session");
        }
      }
    }

    assertThat(won).hasSize(1);
    assertThat(SessionFile.read(path)).isEqualTo(TICKET);
    assertThat(files()).containsExactly("s");
    won.getFirst().close();
    assertThat(files()).isEmpty();
  }

  /** A person removed our file, and another 'pagetide open' has written its own there. */
  @Test
  void close_nameIsAnothersNow_leavesIt() throws IOException {
    Path path = temporary.resolve("s");
    SessionTicket theirs = new SessionTicket("other", 4, 4096, 64, 1, 17);
    SessionFile first = SessionFile.create(path, TICKET);
    Files.delete(path);
    try (SessionFile _ = SessionFile.create(path, theirs)) {
      first.close();

      assertThat(SessionFile.read(path)).isEqualTo(theirs);
    }
    assertThat(files()).isEmpty();
  }

  @Test
  void close_fileIsGone_isNoFailure() throws IOException {
    Path path = temporary.resolve("s");
    SessionFile file = SessionFile.create(path, TICKET);
    Files.delete(path);

    file.close();

    assertThat(files()).isEmpty();
  }

  @Test
  void open_killedBefore_isTakenOver() throws IOException, InterruptedException {
    Path path = temporary.resolve("s");
    try (ServerProcess server = ServerProcess.start()) {
      Map<String, String> environment =
          Map.of(
              "PAGETIDE_DIR", server.directory().toString(), "PAGETIDE_SESSION", path.toString());
      List<String> command = CommandProcess.command();
      command.addAll(List.of("open", "--size", "64KiB"));
      ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
      builder.environment().putAll(environment);
      Process first = builder.start();
      try {
        await().until(() -> Files.exists(path) || !first.isAlive());
        CommandRun refused = CommandRun.of(environment, new byte[0], "open", "--size", "64KiB");
        assertThat(refused.status()).isEqualTo(1);
        assertThat(refused.err())
            .startsWith("pagetide: another 'pagetide open' (process " + first.pid() + ") holds");
      } finally {
        first.destroyForcibly().waitFor();
      }
      assertThat(path).exists();
      SessionTicket dead = SessionFile.read(path);

      CommandRun second = CommandRun.of(environment, new byte[0], "open", "--size", "64KiB");

      assertThat(second.err()).isEmpty();
      assertThat(second.status()).isZero();
      assertThat(second.out()).doesNotContain("range " + dead.rangeId() + ":");
      assertThat(path).doesNotExist();
    }
  }

  /** A limit on the size of files refuses the bytes as a full disk does: some or all of them. */
  @Test
  void open_diskFull_saysSoAndLeavesNothing() throws IOException, InterruptedException {
    Path folder = Files.createDirectory(temporary.resolve("full"));
    try (FakeRelay server = new FakeRelay()) {
      CommandProcess run =
          CommandProcess.inShell(
              temporary,
              Map.of("LC_ALL", "C"),
              "( ulimit -f 0; \"$@\" open --name me --size 64KiB --connect "
                  + server.address()
                  + " --session-file "
                  + folder
                  + "/s; echo $? ) 2>&1 | cat",
              "-XX:-UsePerfData");

      assertThat(run.out())
          .isEqualTo(
              "pagetide: cannot write the session into " + folder + "/s: File too large\n1\n");
      assertThat(folder).isEmptyDirectory();
    }
  }

  @Test
  void count_noRoomForNativeLibraries_saysWhereTheyGo() throws IOException, InterruptedException {
    CommandProcess run =
        CommandProcess.inShell(
            temporary,
            Map.of("PAGETIDE_DIR", temporary.toString()),
            "( ulimit -f 0; \"$@\" count; echo $? ) 2>&1 | cat",
            "-XX:-UsePerfData");

    assertThat(run.out())
        .startsWith("pagetide: the library for Unix sockets cannot be unpacked into /tmp")
        .endsWith("-Djava.io.tmpdir=DIR\n1\n");
  }

  @Test
  void read_modeOfOthers_isRefused() throws IOException {
    Path path = temporary.resolve("s");
    try (SessionFile file = SessionFile.create(path, TICKET)) {
      assertThat(file).isNotNull();
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-r--r--"));

      assertThatThrownBy(() -> SessionFile.read(path))
          .isInstanceOf(CommandFailure.class)
          .hasMessageContaining("0600");
    }
  }

  @Test
  void read_fileOfSomethingElse_isRefused() throws IOException {
    Path path = Files.writeString(temporary.resolve("s"), "a=b");
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));

    assertThatThrownBy(() -> SessionFile.read(path))
        .isInstanceOf(CommandFailure.class)
        .hasMessageContaining("is not a session file");
  }

  @Test
  void open_noFileNamed_isInTheUsersOwnDirectoryNotTheServers() throws IOException {
    try (ServerProcess server = ServerProcess.start()) {
      Map<String, String> environment =
          Map.of(
              "PAGETIDE_DIR",
              server.directory().toString(),
              "XDG_RUNTIME_DIR",
              temporary.toString());
      Path mine = temporary.resolve("pagetide");
      String name = SessionDirectory.fileName(server.directory().toString());

      try (OpenSession _ = OpenSession.start(environment, mine.resolve(name), "--size", "64KiB")) {
        assertThat(Files.getPosixFilePermissions(mine))
            .isEqualTo(PosixFilePermissions.fromString("rwx------"));
        assertThat(CommandRun.of(environment, new byte[0], "use", "0..4").out())
            .startsWith("used 4 pages");
        assertThat(server.directory().resolve("pagetide.session")).doesNotExist();
      }
      assertThat(mine).isEmptyDirectory();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"rwxrwx---", "rwx----w-"})
  void sessionCommands_directoryThatOthersMayWrite_areRefused(String mode) throws IOException {
    Path mine = Files.createDirectory(temporary.resolve("pagetide"));
    Files.setPosixFilePermissions(mine, PosixFilePermissions.fromString(mode));

    for (String line : new String[] {"range", "open --size 64KiB"}) {
      CommandRun run =
          CommandRun.of(
              Map.of("XDG_RUNTIME_DIR", temporary.toString()), new byte[0], line.split(" ", -1));

      assertThat(run.status()).as(line).isEqualTo(1);
      assertThat(run.err()).as(line).contains("may be written by others", "chmod 0700 " + mine);
    }
  }

  @Test
  void range_directoryIsALink_isRefused() throws IOException {
    Path real = Files.createDirectory(temporary.resolve("real"));
    Files.createSymbolicLink(temporary.resolve("pagetide"), real);

    CommandRun run =
        CommandRun.of(Map.of("XDG_RUNTIME_DIR", temporary.toString()), new byte[0], "range");

    assertThat(run.err()).contains("is not a directory (a symbolic link is not followed)");
  }

  @Test
  void path_runtimeDirectoryMissingOrRelative_isInTmp() {
    assertThat(SessionDirectory.path(temporary.resolve("none").toString()).toString())
        .startsWith("/tmp/pagetide-");
    assertThat(SessionDirectory.path("relative").toString()).startsWith("/tmp/pagetide-");
    assertThat(SessionDirectory.path(null).toString()).startsWith("/tmp/pagetide-");
  }

  private List<String> files() throws IOException {
    try (Stream<Path> found = Files.list(temporary)) {
      return found.map(path -> path.getFileName().toString()).toList();
    }
  }
}
