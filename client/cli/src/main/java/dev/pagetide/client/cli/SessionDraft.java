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
 * A session file before it has its name: readable by its owner only, and locked by its owner.
 *
 * <p>A process that is killed leaves its draft, with the token in it. {@link #removeDead} removes
 * it.
 */
/*
 * Which drafts are dead: those that are not empty and whose lock nobody holds. A draft is locked
 * before the first byte is written, and stays locked as long as its owner lives. An empty one may
 * belong to a process that is about to lock it; it is left alone, and has no token in it.
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

  /** The open file; as long as it is open, it is locked. */
  FileChannel locked() {
    return locked;
  }

  /** Removes the draft's own name, if it has not become the session's. */
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
      // Nothing is wrong with the new session; its own failure is told if it cannot lie here.
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
      // RACE: its owner, or another 'pagetide open', was faster.
    }
  }

  /** Whether nobody held the lock of a file, which we hold now until {@code channel} is closed. */
  static boolean isUnlocked(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      return false; // held by another thread of this process
    }
  }
}
