package dev.pagetide.server.directory;

import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.web.MapKey;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The file in a server's directory that keeps the key of the tide map. So a map that is open in a
 * browser when the server ends goes on when the server is started again.
 */
public final class MapKeyFile {
  /** The file's name in the directory. */
  static final String FILE_NAME = "map.key";

  /** Enough for a key and one or two ends of a line. */
  private static final int MAX_BYTES = 64;

  private MapKeyFile() {}

  /**
   * The key of a directory: the one that the file keeps, or a new one, which it keeps from now on.
   * Only the holder of the directory's lock may call this.
   *
   * @throws StartupException if the file holds no key, or is not this user's alone
   */
  public static MapKey keyIn(Path directory) throws StartupException {
    Path file = directory.resolve(FILE_NAME);
    try {
      if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
        return read(file);
      }
      MapKey key = MapKey.random();
      keep(key, file);
      return key;
    } catch (IOException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT, "%s cannot be used (%s); remove it, and a new one is made.", file, e),
          e);
    }
  }

  private static MapKey read(Path file) throws IOException, StartupException {
    Map<String, Object> status =
        Files.readAttributes(file, "unix:isRegularFile,uid,mode", LinkOption.NOFOLLOW_LINKS);
    boolean ours =
        status.get("uid") instanceof Integer uid
            && uid == HostLimits.ownUid()
            && status.get("mode") instanceof Integer mode
            && (mode & 0077) == 0;
    if (!Boolean.TRUE.equals(status.get("isRegularFile")) || !ours) {
      throw new StartupException(
          file
              + " is not a file of the server's user alone (mode 0600), so others may know the key"
              + " in it; remove it, and a new one is made.");
    }
    try (InputStream in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
      return MapKey.parse(
          new String(in.readNBytes(MAX_BYTES), StandardCharsets.UTF_8).stripTrailing());
    } catch (IllegalArgumentException e) {
      throw new StartupException(
          file + " holds no key of the tide map; remove it, and a new one is made.", e);
    }
  }

  /** Writes another file and renames it, so that no reader ever finds half a key. */
  private static void keep(MapKey key, Path file) throws IOException {
    Path fresh = file.resolveSibling(FILE_NAME + ".new");
    Files.deleteIfExists(fresh);
    try (var channel =
        Files.newByteChannel(
            fresh,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
      var text = StandardCharsets.UTF_8.encode(key.text() + "\n");
      while (text.hasRemaining()) {
        channel.write(text);
      }
    }
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
  }
}
