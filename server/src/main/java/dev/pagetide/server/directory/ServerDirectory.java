package dev.pagetide.server.directory;

import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.host.StartupException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The directory at which clients reach a server. It has the server's two Unix sockets, and a lock,
 * so that only one server uses it.
 *
 * <p>Life: {@link #open} takes the directory and removes what a killed server left. Then the server
 * binds the sockets. {@link #admitClients} lets their group or everybody in. {@link #close} removes
 * the sockets and releases the lock. The lock file stays, because removing it could let two servers
 * lock two files of the same name.
 *
 * <p>Up to {@code admitClients}, one thread may use this. Any thread may call {@code close}, any
 * number of times.
 */
public final class ServerDirectory implements AutoCloseable {
  /** The longest path of a Unix socket, in bytes: {@code sun_path} of {@code unix(7)}, less NUL. */
  static final int MAX_SOCKET_PATH_BYTES = 107;

  private static final String GRPC_SOCKET = "grpc.sock";
  private static final String HANDOFF_SOCKET = "handoff.sock";

  private static final int FILE_TYPE_MASK = 0170000;
  private static final int SOCKET_TYPE = 0140000;

  private final Path directory;
  private final int socketMode;
  private final @Nullable GroupPrincipal socketGroup;
  private final DirectoryLock lock;
  private final AtomicBoolean closed = new AtomicBoolean();

  private ServerDirectory(
      Path directory, int socketMode, @Nullable GroupPrincipal socketGroup, DirectoryLock lock) {
    this.directory = directory;
    this.socketMode = socketMode;
    this.socketGroup = socketGroup;
    this.lock = lock;
  }

  /** The default path of a server's directory. */
  public static Path defaultPath(Map<String, String> environment, int uid) {
    String runtime = environment.getOrDefault("XDG_RUNTIME_DIR", "");
    // The XDG Base Directory Specification says that a relative path is invalid: ignore it.
    return runtime.startsWith("/")
        ? Path.of(runtime, "pagetide")
        : Path.of("/tmp", "pagetide-" + uid);
  }

  /** Why a directory's path is too long for its sockets, or null if it is not. */
  public static @Nullable String lengthProblem(Path directory) {
    int bytes =
        directory.resolve(HANDOFF_SOCKET).toString().getBytes(StandardCharsets.UTF_8).length;
    return bytes <= MAX_SOCKET_PATH_BYTES
        ? null
        : String.format(
            Locale.ROOT,
            "the path of its %s would have %d bytes, a Unix socket's has at most %d; name a"
                + " directory of at most %d bytes",
            HANDOFF_SOCKET,
            bytes,
            MAX_SOCKET_PATH_BYTES,
            MAX_SOCKET_PATH_BYTES - HANDOFF_SOCKET.length() - 1);
  }

  /**
   * Makes the directory if it is missing, checks it, takes its lock and removes stale sockets.
   *
   * @param directory the directory's absolute path
   * @param socketMode mode bits for the sockets
   * @param socketGroup group for the sockets, or null to keep the group that the kernel gives them
   * @throws StartupException if the directory is not suitable, if another server holds its lock, or
   *     if the file at a socket's path is not a stale socket
   */
  public static ServerDirectory open(Path directory, int socketMode, @Nullable String socketGroup)
      throws StartupException {
    String tooLong = lengthProblem(directory);
    if (tooLong != null) {
      throw new StartupException(directory + ": " + tooLong + ".");
    }
    try {
      GroupPrincipal group = socketGroup == null ? null : group(socketGroup);
      create(directory);
      check(directory, HostLimits.ownUid());
      DirectoryLock lock = DirectoryLock.take(directory);
      try {
        ServerDirectory opened = new ServerDirectory(directory, socketMode, group, lock);
        for (Path socket : opened.sockets()) {
          removeStale(socket);
        }
        return opened;
      } catch (IOException | StartupException | RuntimeException e) {
        lock.close();
        throw e;
      }
    } catch (IOException e) {
      throw new StartupException(
          directory + " cannot be used (" + e + "); mend it, or name another --dir.", e);
    }
  }

  /** The path to which the server binds the gRPC listener. */
  public Path grpcSocket() {
    return directory.resolve(GRPC_SOCKET);
  }

  /** The path to which the server binds the hand-off listener. */
  public Path handoffSocket() {
    return directory.resolve(HANDOFF_SOCKET);
  }

  /**
   * Gives the bound sockets their mode and group, and then makes the directory traversable for the
   * users whom the mode admits. Call this once, when every socket is bound.
   *
   * @throws StartupException if the host refuses mode or group
   */
  public void admitClients() throws StartupException {
    /*
     * The sockets first, the directory last. Between its bind and its chmod, a socket has the mode
     * that the umask gives it. Until this point the directory (0700, if the server made it) keeps
     * every other user out.
     */
    try {
      for (Path socket : sockets()) {
        if (Files.exists(socket, LinkOption.NOFOLLOW_LINKS)) {
          setGroup(socket);
          Files.setAttribute(socket, "unix:mode", socketMode);
        }
      }
      admitTo(directory);
    } catch (IOException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "mode %04o and group %s cannot be given to the sockets in %s (%s); name a"
                  + " --socket-group that the server's user belongs to.",
              socketMode,
              socketGroup == null ? "(unchanged)" : socketGroup.getName(),
              directory,
              e),
          e);
    }
  }

  /** Removes the sockets and releases the lock. */
  @Override
  public void close() throws IOException {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    // Release the lock last: while we hold it, a socket with one of these names is ours.
    try (lock) {
      for (Path socket : sockets()) {
        if (isSocket(socket)) {
          Files.deleteIfExists(socket);
        }
      }
    }
  }

  private List<Path> sockets() {
    return List.of(grpcSocket(), handoffSocket());
  }

  private static GroupPrincipal group(String name) throws StartupException {
    try {
      return FileSystems.getDefault()
          .getUserPrincipalLookupService()
          .lookupPrincipalByGroupName(name);
    } catch (IOException e) {
      throw new StartupException(
          "--socket-group=" + name + " is no group of this host; create it, or name another.", e);
    }
  }

  private static void create(Path directory) throws IOException, StartupException {
    try {
      Files.createDirectory(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (FileAlreadyExistsException e) {
      // The path exists. check() finds out what it is.
    } catch (NoSuchFileException e) {
      throw new StartupException(
          directory
              + " cannot be made: "
              + directory.getParent()
              + " does not exist; create that, or name another --dir.",
          e);
    }
  }

  /** Refuses everything but a real directory of ours to which only we can write. */
  private static void check(Path directory, int ownUid) throws IOException, StartupException {
    Map<String, Object> status =
        Files.readAttributes(
            directory, "unix:isDirectory,isSymbolicLink,uid,mode", LinkOption.NOFOLLOW_LINKS);
    if (Boolean.TRUE.equals(status.get("isSymbolicLink"))) {
      throw new StartupException(
          directory
              + " is a symbolic link, which others might turn; name the directory itself with"
              + " --dir.");
    }
    if (!Boolean.TRUE.equals(status.get("isDirectory"))) {
      throw new StartupException(
          directory + " is not a directory; move it away, or name another --dir.");
    }
    int uid = number(status, "uid");
    if (uid != ownUid) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "%s belongs to uid %d, the server runs as uid %d; name a --dir of its own.",
              directory,
              uid,
              ownUid));
    }
    int mode = number(status, "mode") & 0777;
    if ((mode & 0022) != 0) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "%s has mode %04o, group or others may write to it; run chmod go-w on it, or name"
                  + " another --dir.",
              directory,
              mode));
    }
  }

  /** Removes a socket without a listener. Only the holder of the lock may call this. */
  private static void removeStale(Path socket) throws IOException, StartupException {
    if (!Files.exists(socket, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    if (!isSocket(socket)) {
      throw new StartupException(
          socket + " is not a socket, so it is not Pagetide's to remove; move it away.");
    }
    try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      // Connect without blocking: a listener whose backlog is full also lives, and the kernel
      // answers EAGAIN at once.
      probe.configureBlocking(false);
      var _ = probe.connect(UnixDomainSocketAddress.of(socket));
    } catch (ConnectException e) {
      // ECONNREFUSED: the process that bound the socket is gone.
      Files.deleteIfExists(socket);
      return;
    } catch (IOException e) {
      throw new StartupException(
          socket
              + " may be in use: connecting to it failed with \""
              + e.getMessage()
              + "\"; stop its owner, or remove it.",
          e);
    }
    throw new StartupException(
        socket
            + " answers, though nobody holds the lock beside it; stop the process that listens"
            + " there, or name another --dir.");
  }

  private static boolean isSocket(Path path) throws IOException {
    if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    Map<String, Object> status = Files.readAttributes(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    return (number(status, "mode") & FILE_TYPE_MASK) == SOCKET_TYPE;
  }

  /**
   * Adds the permission to traverse to those that the directory has. It removes no permission,
   * because an operator that made the directory may have had reasons for its mode.
   */
  private void admitTo(Path directory) throws IOException {
    Set<PosixFilePermission> present = Files.getPosixFilePermissions(directory);
    Set<PosixFilePermission> wanted = EnumSet.copyOf(present);
    if ((socketMode & 0006) != 0) {
      wanted.add(PosixFilePermission.OTHERS_EXECUTE);
    }
    if ((socketMode & 0060) != 0) {
      wanted.add(PosixFilePermission.GROUP_EXECUTE);
      setGroup(directory);
    }
    if (!wanted.equals(present)) {
      Files.setPosixFilePermissions(directory, wanted);
    }
  }

  private void setGroup(Path path) throws IOException {
    if (socketGroup != null) {
      Files.getFileAttributeView(path, PosixFileAttributeView.class).setGroup(socketGroup);
    }
  }

  private static int number(Map<String, Object> status, String attribute) {
    return status.get(attribute) instanceof Integer value ? value : -1;
  }
}
