package dev.pagetide.client;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The directory in which a server has its sockets, looked at before anything in it is trusted: who
 * can write there can pretend to be the server.
 */
final class RuntimeDirectory {

  private static final int LONGEST_SOCKET_PATH_BYTES = 107;

  private RuntimeDirectory() {}

  /** {@code $XDG_RUNTIME_DIR/pagetide}, or {@code /tmp/pagetide-<uid>} where that is not set. */
  static Path defaultPath(@Nullable String xdgRuntimeDir) {
    if (xdgRuntimeDir != null && xdgRuntimeDir.startsWith("/")) {
      return Path.of(xdgRuntimeDir, "pagetide");
    }
    return Path.of("/tmp/pagetide-" + ownUid());
  }

  /**
   * The gRPC socket in {@code directory}, an absolute path.
   *
   * @param ownerMustBeUs whether another user's directory is refused; root's never is
   * @throws PagetideException if the directory is missing or not to be trusted
   */
  static Path grpcSocket(Path directory, boolean ownerMustBeUs) {
    Path absolute = directory.toAbsolutePath().normalize();
    check(absolute, ownerMustBeUs);
    Path socket = absolute.resolve("grpc.sock");
    int length = socket.toString().getBytes(StandardCharsets.UTF_8).length;
    if (length > LONGEST_SOCKET_PATH_BYTES) {
      throw refused(
          "the socket's path "
              + socket
              + " has "
              + length
              + " bytes; a Unix socket's has at most "
              + LONGEST_SOCKET_PATH_BYTES
              + ", so choose a shorter directory");
    }
    return socket;
  }

  private static void check(Path directory, boolean ownerMustBeUs) {
    Map<String, Object> attributes;
    try {
      attributes =
          Files.readAttributes(
              directory, "unix:uid,isDirectory,permissions", LinkOption.NOFOLLOW_LINKS);
    } catch (NoSuchFileException e) {
      throw PagetideException.local(
          StatusCode.UNAVAILABLE,
          "no server: the directory "
              + directory
              + " does not exist; start pagetide-server, or"
              + " name the directory of one that runs");
    } catch (AccessDeniedException e) {
      throw refused(
          "cannot look at the directory "
              + directory
              + ": permission denied, because a directory above it is closed to this user; open"
              + " that one with 'chmod a+x', or name another server's directory with --dir or"
              + " PAGETIDE_DIR");
    } catch (IOException e) {
      throw refused(
          "cannot look at the directory "
              + directory
              + ": "
              + reason(e)
              + "; name another with --dir or PAGETIDE_DIR");
    }
    if (!Boolean.TRUE.equals(attributes.get("isDirectory"))) {
      throw refused(directory + " is not a real directory (a symbolic link is not followed)");
    }
    if (attributes.get("permissions") instanceof Set<?> permissions
        && permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
      throw refused(
          directory
              + " can be written by everybody, who could pretend to be the server; use a"
              + " directory of mode 0700");
    }
    Object owner = attributes.get("uid");
    if (ownerMustBeUs && !owner(owner, 0) && !owner(owner, ownUid())) {
      throw refused(
          directory
              + " belongs to uid "
              + owner
              + ", not to you or root; name a directory with"
              + " --dir or PAGETIDE_DIR");
    }
  }

  /** The system's reason alone, because the exception's message begins with the path. */
  private static String reason(IOException failure) {
    return failure instanceof FileSystemException said && said.getReason() != null
        ? said.getReason()
        : String.valueOf(failure.getMessage());
  }

  private static boolean owner(@Nullable Object owner, int uid) {
    return owner instanceof Integer actual && actual == uid;
  }

  /** This process's effective user, as the kernel shows it to itself. */
  private static int ownUid() {
    try {
      return Files.getAttribute(Path.of("/proc/self"), "unix:uid") instanceof Integer uid
          ? uid
          : -1;
    } catch (IOException e) {
      throw refused("cannot tell this process's uid from /proc/self: " + e.getMessage());
    }
  }

  private static PagetideException refused(String message) {
    return PagetideException.local(StatusCode.PERMISSION_DENIED, message);
  }
}
