package dev.pagetide.client.cli;

import dev.pagetide.client.SessionTicket;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Properties;

/**
 * The file with which {@code pagetide open} lends its session to the other commands. It has the
 * token and the range's shape, and only its owner can read it. A token is never on a command line
 * and never in an environment.
 */
/*
 * A lock on the file tells whether its owner lives, because the kernel releases the lock when the
 * owner ends, however it ends. A file is written as a draft, which is locked, and gets its own name
 * only then. It gets the name by link(2), which fails if a file has that name already; or by
 * rename(2) over a file whose lock we hold, so whose owner is dead. LOCKS: if two commands find the
 * same dead file, one gets its lock. When the other gets the lock later, the name leads to another
 * file, and that command starts again.
 *
 * We replace only a regular file of this user that contains a complete session. A session file gets
 * its name after all of it is written, so a file that was cut off is none of ours.
 */
final class SessionFile implements AutoCloseable {

  private static final String COMMENT = "A Pagetide session; keep it secret.";
  private static final String HEAD = "#" + COMMENT;
  private static final String PID = "pid";
  private static final int MOST_BYTES = 4096;
  private static final String ELSEWHERE = "choose another --session-file";

  private final Path path;
  private final FileIdentity identity;
  private final FileChannel locked;
  private boolean closed;

  private SessionFile(Path path, FileIdentity identity, FileChannel locked) {
    this.path = path;
    this.identity = identity;
    this.locked = locked;
  }

  /**
   * Writes a new file, or replaces the file of a dead owner.
   *
   * @throws CommandFailure if a process holds a session there, if there is another file, or if the
   *     file cannot be written
   */
  static SessionFile create(Path path, SessionTicket ticket) {
    Path absolute = path.toAbsolutePath();
    Path directory = absolute.getParent();
    if (directory == null) {
      throw new CommandFailure(path + " is no file in a directory; " + ELSEWHERE);
    }
    try {
      checkReplaceable(absolute);
      SessionDraft.removeDead(directory);
      try (SessionDraft draft = SessionDraft.create(directory, text(ticket))) {
        try {
          FileIdentity identity = FileIdentity.of(draft.path());
          while (!named(draft.path(), absolute) && !replacedDead(draft.path(), absolute)) {
            Thread.onSpinWait(); // the file was removed or replaced while we read it
          }
          return new SessionFile(absolute, identity, draft.locked());
        } catch (IOException | RuntimeException e) {
          draft.locked().close();
          throw e;
        }
      }
    } catch (IOException e) {
      throw new CommandFailure(
          "cannot write the session into " + path + ": " + ErrorLine.reason(e), e);
    }
  }

  private static void checkReplaceable(Path path) throws IOException {
    try {
      checkOurs(path, FileIdentity.of(path));
    } catch (NoSuchFileException e) {
      // The usual case: no file has the name.
    }
  }

  private static String text(SessionTicket ticket) throws IOException {
    Properties properties = ticket.toProperties();
    properties.setProperty(PID, Long.toString(ProcessHandle.current().pid()));
    StringWriter text = new StringWriter();
    properties.store(text, COMMENT);
    return text.toString();
  }

  /** Gives {@code draft} the name {@code path} if no file has it. */
  private static boolean named(Path draft, Path path) throws IOException {
    try {
      Files.createLink(path, draft);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    } catch (NoSuchFileException e) {
      throw e;
    } catch (FileSystemException e) {
      // The draft was made in this directory a moment ago. So what is refused is the second name.
      throw withoutLinks(path, ErrorLine.reason(e), e);
    }
  }

  /**
   * The failure on a file system where a file has one name only, such as that of many memory
   * sticks.
   */
  static CommandFailure withoutLinks(Path path, String reason, Exception cause) {
    return new CommandFailure(
        "cannot write the session into "
            + path
            + ": the file system refuses a hard link ("
            + reason
            + "); choose a --session-file on another file system",
        cause);
  }

  /** Gives {@code draft} the name of a dead owner's file; false if the caller has to look again. */
  private static boolean replacedDead(Path draft, Path path) throws IOException {
    try {
      FileIdentity seen = FileIdentity.of(path);
      checkOurs(path, seen);
      try (FileChannel old =
          FileChannel.open(
              path, StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
        Properties session = session(path, text(old));
        if (!SessionDraft.isUnlocked(old)) {
          throw new CommandFailure(
              "another 'pagetide open' (process "
                  + session.getProperty(PID)
                  + ") holds a session in "
                  + path
                  + "; end it, or "
                  + ELSEWHERE);
        }
        if (!seen.isSameAs(FileIdentity.of(path))) {
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

  /** Refuses a file that no 'pagetide open' of this user can have left, before it is opened. */
  private static void checkOurs(Path path, FileIdentity found) {
    if (!found.isRegular()) {
      throw new CommandFailure(
          path + " is no session, because it is not a regular file; " + ELSEWHERE);
    }
    if (!found.isOurs()) {
      throw new CommandFailure(
          path
              + " is no session of this user, but belongs to uid "
              + found.uid()
              + "; "
              + ELSEWHERE);
    }
  }

  /** The properties in a session file. Refuses every other file. */
  private static Properties session(Path path, String text) throws IOException {
    try {
      if (text.startsWith(HEAD)) {
        Properties properties = new Properties();
        properties.load(new StringReader(text));
        var _ = SessionTicket.fromProperties(properties);
        if (properties.containsKey(PID)) {
          return properties;
        }
      }
    } catch (IllegalArgumentException | ArithmeticException e) {
      // Handled below: the file is not what create() writes.
    }
    throw new CommandFailure(path + " exists and is no session; " + ELSEWHERE + ", or remove it");
  }

  /**
   * The file's bytes: as many as it had when this began, at most {@link #MOST_BYTES}. So this never
   * waits, as it could for a pipe.
   */
  private static String text(FileChannel channel) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(channel.size(), MOST_BYTES));
    while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
      // until all bytes are read
    }
    return StandardCharsets.UTF_8.decode(bytes.flip()).toString();
  }

  /**
   * Reads a file that {@link #create} wrote.
   *
   * @throws CommandFailure if there is none, if others may read it, or if it is not such a file
   */
  static SessionTicket read(Path path) {
    try {
      if (Files.exists(path) && (!Files.isRegularFile(path) || Files.size(path) > MOST_BYTES)) {
        throw new CommandFailure(path + " is not a session file: no 'pagetide open' wrote it");
      }
      if (!SessionDraft.OWNER_ONLY.containsAll(Files.getPosixFilePermissions(path))) {
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

  /** Removes the file and releases its lock. Does nothing if that was done before. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    // While we hold the lock, no other 'pagetide open' replaces our file. But a person may have
    // removed it, and then another file may have the name. That file is not ours to remove. RACE:
    // if all of that happens between the check and the removal, that other file is lost.
    try (locked) {
      if (FileIdentity.of(path).isSameAs(identity)) {
        Files.deleteIfExists(path);
      }
    } catch (NoSuchFileException e) {
      // The file is gone already.
    } catch (IOException e) {
      throw new CommandFailure("cannot remove " + path + ": " + ErrorLine.reason(e), e);
    }
  }
}
