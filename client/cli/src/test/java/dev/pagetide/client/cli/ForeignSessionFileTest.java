package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.client.SessionTicket;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names for a session file that lead to something else, which is left as it is. */
final class ForeignSessionFileTest {

  private static final SessionTicket TICKET = new SessionTicket("secret", 3, 4096, 64, 1 << 20, 17);
  private static final int NOBODY = 65_534;

  @TempDir Path temporary = Path.of("");

  private void isRefused(Path path, String why) throws IOException {
    FileIdentity before = FileIdentity.of(path);

    assertThatThrownBy(() -> SessionFile.create(path, TICKET))
        .isInstanceOf(CommandFailure.class)
        .hasMessageContainingAll(path.toString(), "is no session", why, "another --session-file");

    assertThat(FileIdentity.of(path)).isEqualTo(before);
    assertThat(drafts()).isEmpty();
  }

  private List<Path> drafts() throws IOException {
    try (Stream<Path> found = Files.list(temporary)) {
      return found.filter(path -> path.toString().endsWith(".draft")).toList();
    }
  }

  /** The last of them is a session that was cut off: a session gets its name when it is whole. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "\n",
        "precious",
        "#A Pagetide poem\n",
        "token=x\npid=1\n",
        "#A Pagetide session; keep it secret.\n#Sun Nov"
      })
  void create_anotherText_isRefused(String content) throws IOException {
    Path path = Files.writeString(temporary.resolve("s"), content);

    isRefused(path, "or remove it");

    assertThat(path).hasContent(content);
  }

  @Test
  @Tag(Requires.TAG)
  void create_pipe_isRefusedAtOnce() throws Exception {
    Requires.command("mkfifo", "to make a pipe with a name");
    Path path = temporary.resolve("pipe");
    assertThat(new ProcessBuilder("mkfifo", path.toString()).start().waitFor()).isZero();

    isRefused(path, "not a regular file");
  }

  @Test
  @Tag(Requires.TAG)
  void read_pipe_isRefusedAtOnce() throws Exception {
    Requires.command("mkfifo", "to make a pipe with a name");
    Path path = temporary.resolve("pipe");
    assertThat(new ProcessBuilder("mkfifo", "-m", "600", path.toString()).start().waitFor())
        .isZero();

    assertThatThrownBy(() -> SessionFile.read(path))
        .isInstanceOf(CommandFailure.class)
        .hasMessage(path + " is not a session file: no 'pagetide open' wrote it");
  }

  /** Of root's, and made here, so that no machine loses its own if this goes wrong. */
  @Test
  @Tag(Requires.TAG)
  void create_device_isRefused() throws Exception {
    Requires.root("to make a device");
    Path path = temporary.resolve("null");
    int made = new ProcessBuilder("mknod", path.toString(), "c", "1", "3").start().waitFor();
    Requires.ofKernel(made == 0, "leave to make devices");

    isRefused(path, "not a regular file");
  }

  @Test
  void create_directory_isRefused() throws IOException {
    isRefused(Files.createDirectory(temporary.resolve("s")), "not a regular file");
  }

  @Test
  void create_linkToADeadSession_isRefusedAndNotFollowed() throws IOException {
    Path real = temporary.resolve("real");
    byte[] session;
    try (SessionFile _ = SessionFile.create(real, TICKET)) {
      session = Files.readAllBytes(real);
    }
    Files.write(real, session);
    Path link = Files.createSymbolicLink(temporary.resolve("s"), real);

    isRefused(link, "not a regular file");

    assertThat(real).hasBinaryContent(session);
  }

  @Test
  @Tag(Requires.TAG)
  void create_deadSessionOfAnotherUser_isRefused() throws IOException {
    Path path = temporary.resolve("s");
    byte[] session;
    try (SessionFile _ = SessionFile.create(path, TICKET)) {
      session = Files.readAllBytes(path);
    }
    Files.write(path, session);
    Requires.giveAway(path, NOBODY);

    isRefused(path, "belongs to uid " + NOBODY);

    assertThat(path).hasBinaryContent(session);
  }

  @Test
  void create_noName_isRefused() {
    assertThatThrownBy(() -> SessionFile.create(Path.of("/"), TICKET))
        .isInstanceOf(CommandFailure.class)
        .hasMessage("/ is no file in a directory; choose another --session-file");
  }

  @Test
  void range_noName_isOneSentence() {
    CommandRun run = CommandRun.of(Map.of(), new byte[0], "range", "--session-file", "/");

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err()).startsWith("pagetide: / ").doesNotContain("unexpected").hasLineCount(1);
  }

  /** The sentence alone: few machines have a file system without hard links at hand. */
  @Test
  void withoutLinks_reason_namesTheRemedy() {
    FileSystemException refused =
        new FileSystemException("/stick/s", "/stick/d", "Operation not permitted");

    assertThat(SessionFile.withoutLinks(Path.of("/stick/s"), ErrorLine.reason(refused), refused))
        .hasMessage(
            "cannot write the session into /stick/s: the file system refuses a hard link"
                + " (Operation not permitted); choose a --session-file on another file system");
  }

  @Test
  void create_draftOfAKilledProcess_isRemoved() throws IOException {
    SessionDraft dead = SessionDraft.create(temporary, "token=secret");
    dead.locked().close();
    Path poem = Files.writeString(temporary.resolve(".pagetide-poem"), "precious");
    assertThat(dead.path()).hasContent("token=secret");
    assertThat(Files.getPosixFilePermissions(dead.path()))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));

    try (SessionFile _ = SessionFile.create(temporary.resolve("s"), TICKET)) {
      assertThat(dead.path()).doesNotExist();
      assertThat(poem).hasContent("precious");
    }
  }

  @Test
  void create_draftOfALivingProcess_isLeft() throws IOException {
    try (SessionDraft alive = SessionDraft.create(temporary, "token=secret")) {
      Path begun = Files.createFile(temporary.resolve(".pagetide-1.draft"));

      try (SessionFile _ = SessionFile.create(temporary.resolve("s"), TICKET)) {
        assertThat(alive.path()).hasContent("token=secret");
        assertThat(begun).exists();
      }
      alive.locked().close();
    }
  }
}
