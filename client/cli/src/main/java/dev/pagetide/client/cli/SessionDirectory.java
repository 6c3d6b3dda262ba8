package dev.pagetide.client.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * This user's own directory, in which {@code pagetide open} leaves its session: in XDG_RUNTIME_DIR,
 * or in /tmp. It is not the server's directory, because that may belong to another user who lets
 * this one in.
 */
final class SessionDirectory {

  private static final String MINE = "rwx------";
  private static final int DIGEST_BYTES = 6;

  private SessionDirectory() {}

  /** {@code $XDG_RUNTIME_DIR/pagetide} if that is this user's, otherwise /tmp/pagetide-UID. */
  static Path path(@Nullable String xdgRuntimeDir) {
    int uid = ownUid();
    if (xdgRuntimeDir != null && xdgRuntimeDir.startsWith("/")) {
      Path runtime = PathConverter.ofVariable("XDG_RUNTIME_DIR", xdgRuntimeDir);
      if (isDirectoryOf(runtime, uid)) {
        return runtime.resolve("pagetide");
      }
    }
    return Path.of("/tmp/pagetide-" + uid);
  }

  /** The name of the session's file. It differs for each server but the usual one. */
  static String fileName(@Nullable String otherServer) {
    return otherServer == null
        ? "pagetide.session"
        : "pagetide-" + digest(otherServer) + ".session";
  }

  private static String digest(String text) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, DIGEST_BYTES);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /**
   * Makes the directory if it is missing.
   *
   * @throws CommandFailure if it cannot be made, or other users may write to it
   */
  static void prepare(Path directory) {
    try {
      Files.createDirectory(
          directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(MINE)));
    } catch (FileAlreadyExistsException e) {
      // check() reports what is there instead.
    } catch (IOException e) {
      throw new CommandFailure(
          "cannot make the directory " + directory + ": " + ErrorLine.reason(e) + advice(), e);
    }
    check(directory);
  }

  /**
   * Checks the directory before anything in it is trusted. A missing directory passes, because
   * nothing is in it.
   *
   * @throws CommandFailure if other users may write to the directory
   */
  static void check(Path directory) {
    Map<String, Object> found;
    try {
      found =
          Files.readAttributes(
              directory, "unix:uid,isDirectory,permissions", LinkOption.NOFOLLOW_LINKS);
    } catch (NoSuchFileException e) {
      return;
    } catch (IOException e) {
      throw new CommandFailure(
          "cannot look at the directory " + directory + ": " + ErrorLine.reason(e) + advice(), e);
    }
    if (!Boolean.TRUE.equals(found.get("isDirectory"))) {
      throw new CommandFailure(
          directory + " is not a directory (a symbolic link is not followed)" + advice());
    }
    if (!Integer.valueOf(ownUid()).equals(found.get("uid"))) {
      throw new CommandFailure(
          directory
              + " belongs to uid "
              + found.get("uid")
              + ", not to this user, so no session may lie there"
              + advice());
    }
    if (found.get("permissions") instanceof Set<?> permissions
        && (permissions.contains(PosixFilePermission.GROUP_WRITE)
            || permissions.contains(PosixFilePermission.OTHERS_WRITE))) {
      throw new CommandFailure(
          directory
              + " may be written by others, so no session may lie there; run 'chmod 0700 "
              + directory
              + "'");
    }
  }

  private static String advice() {
    return "; name a file elsewhere with PAGETIDE_SESSION or --session-file";
  }

  private static boolean isDirectoryOf(Path path, int uid) {
    try {
      Map<String, Object> found = Files.readAttributes(path, "unix:uid,isDirectory");
      return Boolean.TRUE.equals(found.get("isDirectory"))
          && Integer.valueOf(uid).equals(found.get("uid"));
    } catch (IOException e) {
      return false;
    }
  }

  /** This process's effective user, as the kernel reports it. */
  static int ownUid() {
    try {
      return Files.getAttribute(Path.of("/proc/self"), "unix:uid") instanceof Integer uid
          ? uid
          : -1;
    } catch (IOException e) {
      throw new CommandFailure(
          "cannot tell this process's uid from /proc/self: " + ErrorLine.reason(e), e);
    }
  }
}
