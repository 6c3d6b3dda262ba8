package dev.pagetide.server.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.host.StartupException;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

final class ServerDirectoryTest {
  private static final int NOBODY = 65534;

  private Path parent;
  private Path path;

  @BeforeEach
  void makeParent() throws IOException {
    // Under /tmp, whatever the build's own temporary directory is: sockets need short paths.
    parent = Files.createTempDirectory(Path.of("/tmp"), "pagetide-test");
    path = parent.resolve("d");
  }

  @AfterEach
  void removeParent() throws IOException {
    List<Path> found = new ArrayList<>();
    try (var walk = Files.walk(parent)) {
      walk.forEach(found::add);
    }
    for (Path file : found.reversed()) {
      Files.delete(file);
    }
  }

  @Test
  void open_missing_makesItForItsOwnerAlone() throws Exception {
    try (ServerDirectory directory = ServerDirectory.open(path, 0600, null)) {
      assertThat(mode(path)).isEqualTo(0700);
      assertThat(mode(path.resolve("lock"))).isEqualTo(0600);
      assertThat(directory.grpcSocket()).isEqualTo(path.resolve("grpc.sock"));
      assertThat(directory.handoffSocket()).isEqualTo(path.resolve("handoff.sock"));
      assertThat(lockText()).isEqualTo(ProcessHandle.current().pid() + "\n");
    }
  }

  @Test
  void open_existing_keepsItsMode() throws Exception {
    makeDirectory(0755);

    ServerDirectory.open(path, 0600, null).close();

    assertThat(mode(path)).isEqualTo(0755);
  }

  @Test
  void open_again_succeedsAfterClose() throws Exception {
    ServerDirectory first = ServerDirectory.open(path, 0600, null);
    first.close();
    first.close();

    ServerDirectory.open(path, 0600, null).close();
  }

  @Test
  void open_parentMissing_isRefused() {
    Path deep = path.resolve("e");

    assertRefused(deep, deep + " cannot be made: " + path + " does not exist");
    assertThat(path).doesNotExist();
  }

  @Test
  void open_symbolicLink_isRefused() throws IOException {
    Path target = Files.createDirectory(parent.resolve("target"));
    Files.createSymbolicLink(path, target);

    assertRefused(path, path + " is a symbolic link");
    assertThat(target).isEmptyDirectory();
  }

  @Test
  void open_regularFile_isRefused() throws IOException {
    Files.writeString(path, "mine");

    assertRefused(path, path + " is not a directory");
    assertThat(path).hasContent("mine");
  }

  @Test
  void open_anothersDirectory_isRefused() throws Exception {
    Path anothers = Path.of("/usr"); // root's
    int owner = 0;
    if (HostLimits.ownUid() == 0) {
      makeDirectory(0700);
      anothers = path;
      owner = NOBODY;
      Files.setAttribute(path, "unix:uid", NOBODY);
    }

    assertRefused(
        anothers,
        "%s belongs to uid %d, the server runs as uid %d"
            .formatted(anothers, owner, HostLimits.ownUid()));
    assertThat(anothers.resolve("lock")).doesNotExist();
  }

  @Test
  void open_writableByGroup_isRefused() throws IOException {
    makeDirectory(0720);

    assertRefused(path, path + " has mode 0720, group or others may write to it");
    assertThat(path).isEmptyDirectory();
  }

  @Test
  void open_writableByOthers_isRefused() throws IOException {
    makeDirectory(0702);

    assertRefused(path, path + " has mode 0702, group or others may write to it");
    assertThat(path).isEmptyDirectory();
  }

  @Test
  void open_pathTooLong_isRefused() {
    Path tooLong = parent.resolve("d".repeat(100));

    assertRefused(tooLong, tooLong + ": the path of its handoff.sock would have ");
    assertThat(tooLong).doesNotExist();
  }

  @Test
  void open_unknownGroup_isRefused() {
    assertThatThrownBy(() -> ServerDirectory.open(path, 0660, "no-such-group"))
        .isInstanceOf(StartupException.class)
        .hasMessageStartingWith("--socket-group=no-such-group is no group of this host");
    assertThat(path).doesNotExist();
  }

  @Test
  void open_heldByThisProcess_isRefusedAndStaysHeld() throws Exception {
    try (ServerDirectory first = ServerDirectory.open(path, 0600, null)) {
      assertRefused(path, servedBy(ProcessHandle.current().pid()));

      // A second look at the lock file from inside would have dropped the first one's lock.
      try (JavaProcess second = JavaProcess.start(LockHolder.class, path.toString())) {
        assertThat(second.readLine()).isNull();
        assertThat(second.awaitExit()).isEqualTo(1);
        assertThat(second.errors()).contains(servedBy(ProcessHandle.current().pid()));
      }
      assertThat(first.grpcSocket()).doesNotExist();
    }
  }

  @Test
  void open_heldByAnotherProcess_namesItsPid() throws Exception {
    try (JavaProcess holder = JavaProcess.start(LockHolder.class, path.toString())) {
      assertThat(holder.readLine()).isEqualTo("held");

      assertRefused(path, servedBy(holder.pid()) + "; stop that one, or name another --dir.");
      assertThat(path.resolve("grpc.sock")).exists();
    }
  }

  @Test
  void open_holderKilled_replacesItsSocket() throws Exception {
    try (JavaProcess holder = JavaProcess.start(LockHolder.class, path.toString())) {
      assertThat(holder.readLine()).isEqualTo("held");
      holder.kill();
    }
    assertThat(path.resolve("grpc.sock")).exists();

    try (ServerDirectory directory = ServerDirectory.open(path, 0600, null);
        ServerSocketChannel listener = bind(directory.grpcSocket())) {
      assertThat(lockText()).isEqualTo(ProcessHandle.current().pid() + "\n");
      assertThat(listener.isOpen()).isTrue();
    }
  }

  @Test
  void open_socketThatAnswers_isRefused() throws Exception {
    makeDirectory(0700);
    Path socket = path.resolve("handoff.sock");
    try (ServerSocketChannel listener = bind(socket)) {
      assertRefused(path, socket + " answers, though nobody holds the lock beside it");

      assertThat(socket).exists();
      assertThat(listener.accept().isOpen()).isTrue();
    }
  }

  @Test
  void open_socketWithFullBacklog_isRefusedWithoutWaiting() throws Exception {
    makeDirectory(0700);
    Path socket = path.resolve("grpc.sock");
    List<SocketChannel> waiting = new ArrayList<>();
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(socket), 1);
      assertThatThrownBy(
              () -> {
                while (true) {
                  SocketChannel next = SocketChannel.open(StandardProtocolFamily.UNIX);
                  waiting.add(next);
                  next.configureBlocking(false);
                  next.connect(UnixDomainSocketAddress.of(socket));
                }
              })
          .hasMessage("Resource temporarily unavailable");

      assertRefused(path, socket + " may be in use: connecting to it failed with");
      assertThat(socket).exists();
    } finally {
      for (SocketChannel channel : waiting) {
        channel.close();
      }
    }
  }

  @Test
  void open_fileAtASocketsPath_isRefusedAndKept() throws IOException {
    makeDirectory(0700);
    Path file = path.resolve("grpc.sock");
    Files.writeString(file, "mine");

    assertRefused(path, file + " is not a socket, so it is not Pagetide's to remove");
    assertThat(file).hasContent("mine");
  }

  @Test
  void open_linkAtASocketsPath_isRefusedAndKept() throws IOException {
    makeDirectory(0700);
    Path link = path.resolve("grpc.sock");
    Files.createSymbolicLink(link, Path.of("nowhere"));

    assertRefused(path, link + " is not a socket");
    assertThat(Files.isSymbolicLink(link)).isTrue();
  }

  @Test
  void open_lockIsNoFile_isRefused() throws IOException {
    makeDirectory(0700);
    Files.createDirectory(path.resolve("lock"));

    assertRefused(path, path.resolve("lock") + " is not a regular file");
  }

  @Test
  void open_refusedForItsSocket_letsTheLockGo() throws Exception {
    makeDirectory(0700);
    Path file = path.resolve("grpc.sock");
    Files.writeString(file, "mine");
    assertRefused(path, file + " is not a socket");
    Files.delete(file);

    ServerDirectory.open(path, 0600, null).close();
  }

  @Test
  void admitClients_ownerOnly_keepsTheDirectoryShut() throws Exception {
    try (ServerDirectory directory = ServerDirectory.open(path, 0600, null);
        ServerSocketChannel listener = bind(directory.grpcSocket())) {
      directory.admitClients();

      assertThat(listener.isOpen()).isTrue();
      assertThat(mode(directory.grpcSocket())).isEqualTo(0600);
      assertThat(mode(path)).isEqualTo(0700);
    }
  }

  @Tag(Requires.TAG)
  @Test
  void admitClients_group_opensSocketsAndDirectoryToIt() throws Exception {
    Requires.otherUid(); // and root gives a socket to any group
    try (ServerDirectory directory = ServerDirectory.open(path, 0660, "1");
        ServerSocketChannel grpc = bind(directory.grpcSocket());
        ServerSocketChannel handoff = bind(directory.handoffSocket())) {
      makeTraversable(parent);
      assertThat(mayConnect(NOBODY, 1, directory.grpcSocket())).isFalse();

      directory.admitClients();

      assertThat(grpc.isOpen() && handoff.isOpen()).isTrue();
      assertThat(mode(path)).isEqualTo(0710);
      for (Path socket : List.of(directory.grpcSocket(), directory.handoffSocket())) {
        assertThat(mode(socket)).isEqualTo(0660);
        assertThat(mayConnect(NOBODY, 1, socket)).isTrue();
        assertThat(mayConnect(NOBODY, NOBODY, socket)).isFalse();
      }
      assertThat(mode(path.resolve("lock"))).isEqualTo(0600);
    }
  }

  @Tag(Requires.TAG)
  @Test
  void admitClients_everybody_opensSocketsAndDirectoryToThem() throws Exception {
    Requires.otherUid();
    try (ServerDirectory directory = ServerDirectory.open(path, 0666, null);
        ServerSocketChannel grpc = bind(directory.grpcSocket())) {
      makeTraversable(parent);

      directory.admitClients();

      assertThat(grpc.isOpen()).isTrue();
      assertThat(mode(path)).isEqualTo(0711);
      assertThat(mayConnect(NOBODY, NOBODY, directory.grpcSocket())).isTrue();
    }
  }

  @Test
  void close_boundSockets_removesThemAndNothingElse() throws Exception {
    ServerDirectory directory = ServerDirectory.open(path, 0600, null);
    ServerSocketChannel listener = bind(directory.grpcSocket());
    Files.writeString(path.resolve("other"), "mine");
    Files.writeString(directory.handoffSocket(), "put here meanwhile");
    listener.close();

    directory.close();

    assertThat(directory.grpcSocket()).doesNotExist();
    assertThat(path.resolve("other")).hasContent("mine");
    assertThat(directory.handoffSocket()).hasContent("put here meanwhile");
    assertThat(path.resolve("lock")).isEmptyFile();
  }

  private static void assertRefused(Path directory, String message) {
    assertThatThrownBy(() -> ServerDirectory.open(directory, 0600, null))
        .isInstanceOf(StartupException.class)
        .hasMessageStartingWith(message)
        .message()
        .endsWith(".");
  }

  private String servedBy(long pid) {
    return path + " is served by the Pagetide server with pid " + pid;
  }

  private void makeDirectory(int mode) throws IOException {
    Files.createDirectory(path);
    Files.setAttribute(path, "unix:mode", mode);
  }

  private static void makeTraversable(Path directory) throws IOException {
    Files.setAttribute(directory, "unix:mode", 0711);
  }

  private static ServerSocketChannel bind(Path socket) throws IOException {
    return ServerSocketChannel.open(StandardProtocolFamily.UNIX)
        .bind(UnixDomainSocketAddress.of(socket));
  }

  private static int mode(Path file) throws IOException {
    return (int) Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 07777;
  }

  /** The lock file's text, read by another process: a look from inside would drop the lock. */
  private String lockText() throws IOException, InterruptedException {
    Process cat = new ProcessBuilder("cat", path.resolve("lock").toString()).start();
    String text = new String(cat.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
    assertThat(cat.waitFor()).isEqualTo(0);
    return text;
  }

  /** Whether the kernel lets another user write to a socket, which is what connecting takes. */
  private static boolean mayConnect(int uid, int gid, Path socket)
      throws IOException, InterruptedException {
    Process test =
        new ProcessBuilder(
                "setpriv",
                "--reuid=" + uid,
                "--regid=" + gid,
                "--clear-groups",
                "test",
                "-w",
                socket.toString())
            .start();
    assertThat(test.waitFor(10, TimeUnit.SECONDS)).isTrue();
    return test.exitValue() == 0;
  }
}
