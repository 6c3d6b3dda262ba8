package dev.pagetide.server.directory;

import dev.pagetide.server.host.StartupException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The lock on a server's directory: a file that the server locks exclusively as long as it lives,
 * with its pid in it. The kernel releases the lock when the server ends, however it ends.
 */
final class DirectoryLock implements AutoCloseable {
  /** The lock file's name in the directory. */
  static final String FILE_NAME = "lock";

  /*
   * SAFETY: the kernel drops a POSIX lock as soon as its process closes *any* descriptor of the
   * file (fcntl(2)). So this JVM never opens a lock file whose lock it holds: a second server in
   * this JVM learns here, by the directory's identity, that the lock is held, before it touches the
   * file.
   */
  private static final Map<Object, Path> HELD_BY_THIS_PROCESS = new ConcurrentHashMap<>();

  private final Object directoryKey;
  private final FileChannel channel;
  private final FileLock lock;

  private DirectoryLock(Object directoryKey, FileChannel channel, FileLock lock) {
    this.directoryKey = directoryKey;
    this.channel = channel;
    this.lock = lock;
  }

  /**
   * Takes the lock of a directory to which only this user may write.
   *
   * @throws StartupException if another server holds it
   */
  static DirectoryLock take(Path directory) throws IOException, StartupException {
    Object key = Files.getAttribute(directory, "unix:fileKey", LinkOption.NOFOLLOW_LINKS);
    if (HELD_BY_THIS_PROCESS.putIfAbsent(key, directory) != null) {
      throw held(directory, ownPid());
    }
    try {
      return take(directory, key);
    } catch (IOException | StartupException | RuntimeException e) {
      HELD_BY_THIS_PROCESS.remove(key);
      throw e;
    }
  }

  private static DirectoryLock take(Path directory, Object key)
      throws IOException, StartupException {
    Path file = directory.resolve(FILE_NAME);
    if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)
        && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      throw new StartupException(
          file + " is not a regular file, so it cannot be locked; move it away.");
    }
    FileChannel channel =
        FileChannel.open(
            file,
            Set.of(
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                LinkOption.NOFOLLOW_LINKS),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    try {
      FileLock lock = channel.tryLock();
      if (lock == null) {
        throw held(directory, pidIn(channel));
      }
      channel.truncate(0);
      writeFully(channel, ownPid() + "\n");
      return new DirectoryLock(key, channel, lock);
    } catch (IOException | StartupException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** Releases the lock. The file stays, and is empty. */
  @Override
  public void close() throws IOException {
    try (channel) {
      channel.truncate(0);
      lock.release();
    } finally {
      HELD_BY_THIS_PROCESS.remove(directoryKey);
    }
  }

  private static StartupException held(Path directory, String pid) {
    return new StartupException(
        directory
            + " is served by the Pagetide server with pid "
            + pid
            + "; stop that one, or name another --dir.");
  }

  private static String ownPid() {
    return Long.toString(ProcessHandle.current().pid());
  }

  /** The holder's pid; "unknown" in the moment between its lock and its write. */
  private static String pidIn(FileChannel channel) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(32);
    channel.read(bytes, 0);
    String pid = new String(bytes.array(), 0, bytes.position(), StandardCharsets.US_ASCII).strip();
    return pid.matches("[0-9]+") ? pid : "unknown";
  }

  private static void writeFully(FileChannel channel, String text) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
