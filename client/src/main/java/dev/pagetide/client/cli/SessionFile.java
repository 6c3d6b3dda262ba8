package dev.pagetide.client.cli;

import dev.pagetide.client.SessionTicket;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Properties;
import java.util.Set;

/**
 * The file by which {@code pagetide open} lends its session to the other commands: the token and
 * the range's shape, readable by its owner only. A token is never on a command line and never in an
 * environment.
 */
/*
 * Who owns a file is told by a lock on it, which the kernel releases when its owner ends, however
 * it ends. A file is written under another name, locked, and only then given its own: by link(2),
 * which fails where there is one already, or by rename(2) over a file whose lock we hold, so whose
 * owner is dead. LOCKS: of two commands that find the same dead file, one gets its lock, and the
 * other one's comes too late: the name then leads to another file, and it starts again.
 */
final class SessionFile implements AutoCloseable {

  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rw-------");
  private static final String COMMENT = "A Pagetide session; keep it secret.";
  private static final String HEAD = "#" + COMMENT;
  private static final String PID = "pid";
  private static final int MOST_BYTES = 4096;

  private final Path path;
  private final FileChannel locked;
  private boolean closed;

  private SessionFile(Path path, FileChannel locked) {
    this.path = path;
    this.locked = locked;
  }

  /**
   * Writes a new file, or one in the place of a dead owner's.
   *
   * @throws CommandFailure if somebody holds a session there, there is another file, or it cannot
   *     be written
   */
  static SessionFile create(Path path, SessionTicket ticket) {
    try {
      Path absolute = path.toAbsolutePath();
      Path draft =
          Files.createTempFile(
              absolute.getParent(),
              ".pagetide-",
              ".draft",
              PosixFilePermissions.asFileAttribute(OWNER_ONLY));
      try {
        FileChannel channel = FileChannel.open(draft, StandardOpenOption.WRITE);
        try {
          var _ = channel.lock();
          write(channel, ticket);
          while (!named(draft, absolute) && !replacedDead(draft, absolute)) {
            Thread.onSpinWait(); // the file went, or was replaced, while we looked at it
          }
          return new SessionFile(absolute, channel);
        } catch (IOException | RuntimeException e) {
          channel.close();
          throw e;
        }
      } finally {
        Files.deleteIfExists(draft);
      }
    } catch (IOException e) {
      throw new CommandFailure(
          "cannot write the session into " + path + ": " + ErrorLine.reason(e), e);
    }
  }

  private static void write(FileChannel channel, SessionTicket ticket) throws IOException {
    Properties properties = ticket.toProperties();
    properties.setProperty(PID, Long.toString(ProcessHandle.current().pid()));
    StringWriter text = new StringWriter();
    properties.store(text, COMMENT);
    ByteBuffer bytes = StandardCharsets.UTF_8.encode(text.toString());
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Gives {@code draft} the name {@code path} if no file has it. */
  private static boolean named(Path draft, Path path) throws IOException {
    try {
      Files.createLink(path, draft);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
  }

  /** Gives {@code draft} the name of a dead owner's file; false: look again. */
  private static boolean replacedDead(Path draft, Path path) throws IOException {
    Object seen;
    try {
      seen = key(path);
      try (FileChannel old =
          FileChannel.open(
              path, StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
        String text = text(old);
        if (!text.startsWith(HEAD) && !HEAD.startsWith(text)) {
          throw new CommandFailure(
              path + " exists and is no session; choose another --session-file, or remove it");
        }
        if (!isLocked(old)) {
          throw new CommandFailure(
              "another 'pagetide open'"
                  + process(text)
                  + " holds a session in "
                  + path
                  + "; end it, or choose another --session-file");
        }
        if (!seen.equals(key(path))) {
          return false;
        }
        Files.move(
            draft, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        return true;
      }
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static boolean isLocked(FileChannel channel) throws IOException {
    try {
      FileLock lock = channel.tryLock();
      return lock != null;
    } catch (OverlappingFileLockException e) {
      return false; // held by another thread of this process
    }
  }

  private static String text(FileChannel channel) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(MOST_BYTES);
    while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
      // until all of it is read
    }
    return StandardCharsets.ISO_8859_1.decode(bytes.flip()).toString();
  }

  private static String process(String text) throws IOException {
    Properties properties = new Properties();
    properties.load(new StringReader(text));
    String pid = properties.getProperty(PID);
    return pid == null ? "" : " (process " + pid + ")";
  }

  private static Object key(Path path) throws IOException {
    return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
        .fileKey();
  }

  /**
   * Reads a file that {@link #create} wrote.
   *
   * @throws CommandFailure if there is none, others may read it, or it is not one
   */
  static SessionTicket read(Path path) {
    try {
      if (!OWNER_ONLY.containsAll(Files.getPosixFilePermissions(path))) {
        throw new CommandFailure(
            path
                + " may be read or written by others, so its session is not secret; its mode must"
                + " be 0600");
      }
      Properties properties = new Properties();
      try (var reader = Files.newBufferedReader(path)) {
        properties.load(reader);
      }
      return SessionTicket.fromProperties(properties);
    } catch (NoSuchFileException e) {
      throw new CommandFailure(
          "no session at "
              + path
              + "; run 'pagetide open --size 4MiB' in another terminal, or name its file with"
              + " PAGETIDE_SESSION or --session-file",
          e);
    } catch (IOException e) {
      throw new CommandFailure(
          "cannot read the session from " + path + ": " + ErrorLine.reason(e), e);
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new CommandFailure(path + " is not a session file: " + e.getMessage(), e);
    }
  }

  /** Removes the file and gives up its lock; does nothing if that was done. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    // The lock goes last: while we hold it, nobody gives the name to another file.
    try (locked) {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new CommandFailure("cannot remove " + path + ": " + ErrorLine.reason(e), e);
    }
  }
}
