package dev.pagetide.client.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * A session file before it has its name. Only its owner can read it, and its owner holds a lock on
 * it.
 *
 * <p>A process that is killed leaves its draft, with the token in it. {@link #removeDead} removes
 * it.
 */
/*
 * Which drafts are dead: those that are not empty and on which no process holds the lock. A draft
 * is locked before the first byte is written, and stays locked as long as its owner lives. An empty
 * draft may belong to a process that is about to lock it. It is left alone, and there is no token
 * in it.
 */
final class SessionDraft implements AutoCloseable {

  /** The mode of session files and of their drafts. */
  static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

  private static final String PREFIX = ".pagetide-";
  private static final String SUFFIX = ".draft";

  private final Path path;
  private final FileChannel locked;

  private SessionDraft(Path path, FileChannel locked) {
    this.path = path;
    this.locked = locked;
  }

  /** Writes {@code text} into a new locked file in {@code directory}. */
  static SessionDraft create(Path directory, String text) throws IOException {
    Path path =
        Files.createTempFile(
            directory, PREFIX, SUFFIX, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
    try {
      FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE);
      try {
        var _ = channel.lock();
        ByteBuffer bytes = StandardCharsets.UTF_8.encode(text);
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
        return new SessionDraft(path, channel);
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    } catch (IOException | RuntimeException e) {
      Files.deleteIfExists(path);
      throw e;
    }
  }

  Path path() {
    return path;
  }

  /** The open file. It is locked as long as it is open. */
  FileChannel locked() {
    return locked;
  }

  /** Removes the draft's own name. Does nothing if the file has got the session's name instead. */
  @Override
  public void close() throws IOException {
    Files.deleteIfExists(path);
  }

  /** Removes the drafts in {@code directory} that killed processes of this user left. */
  static void removeDead(Path directory) {
    try (DirectoryStream<Path> drafts =
        Files.newDirectoryStream(directory, PREFIX + "*" + SUFFIX)) {
      for (Path draft : drafts) {
        removeIfDead(draft);
      }
    } catch (IOException | DirectoryIteratorException e) {
      // This is no failure of the new session. If it cannot be written here, its own failure says
      // so.
    }
  }

  private static void removeIfDead(Path draft) throws IOException {
    try {
      FileIdentity seen = FileIdentity.of(draft);
      if (!seen.isRegular() || !seen.isOurs()) {
        return;
      }
      try (FileChannel channel =
          FileChannel.open(draft, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
        if (channel.size() > 0 && isUnlocked(channel)) {
          Files.deleteIfExists(draft);
        }
      }
    } catch (NoSuchFileException e) {
      // RACE: its owner, or another 'pagetide open', has removed it first.
    }
  }

  /**
   * Takes a file's lock; false if another holds it. We hold the lock until {@code channel} is
   * closed.
   */
  static boolean isUnlocked(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      return false; // another thread of this process holds it
    }
  }
}
