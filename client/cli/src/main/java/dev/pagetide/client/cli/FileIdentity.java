package dev.pagetide.client.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The file that a path names. A link at the path's end is not followed, and the file is not opened.
 *
 * @param key equal for two names of one file
 * @param isRegular whether it is a regular file: no link, directory, pipe or device
 * @param uid its owner
 */
record FileIdentity(@Nullable Object key, boolean isRegular, @Nullable Object uid) {

  static FileIdentity of(Path path) throws IOException {
    Map<String, Object> found =
        Files.readAttributes(path, "unix:fileKey,isRegularFile,uid", LinkOption.NOFOLLOW_LINKS);
    return new FileIdentity(
        found.get("fileKey"), Boolean.TRUE.equals(found.get("isRegularFile")), found.get("uid"));
  }

  /** Whether it belongs to this process's user. */
  boolean isOurs() {
    return Integer.valueOf(SessionDirectory.ownUid()).equals(uid);
  }

  boolean isSameAs(FileIdentity other) {
    return key != null && key.equals(other.key);
  }
}
