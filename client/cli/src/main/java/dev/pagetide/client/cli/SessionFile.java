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
 * The file by which {@code pagetide open} lends its session to the other commands: the token and
 * the range's shape, readable by its owner only. A token is never on a command line and never in an
 * environment.
 */
/*
 * Who owns a file is told by a lock on it, which the kernel releases when its owner ends, however
 * it ends. A file is written as a draft, which is locked, and only then given its own name: by
 * link(2), which fails where there is one already, or by rename(2) over a file whose lock we hold,
 * so whose owner is dead. LOCKS: of two commands that find the same dead file, one gets its lock,
 * and the other one's comes too late: the name then leads to another file, and it starts again.
 *
 * What we replace is a regular file of this user's that has all of a session in it. A session file
 * gets its name when all of it is written, so one that was cut off is none of ours.
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
   * Writes a new file, or one in the place of a dead owner's.
   *
   * @throws CommandFailure if somebody holds a session there, there is another file, or it cannot
   *     be written
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
            Thread.onSpinWait(); // the file went, or was replaced, while we looked at it
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
      // The usual case: the name is free.
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
      // The draft was made in this directory a moment ago: what is refused is the second name.
      throw withoutLinks(path, ErrorLine.reason(e), e);
    }
  }

  /** A file system, such as that of many memory sticks, where a file has one name only. */
  static CommandFailure withoutLinks(Path path, String reason, Exception cause) {
    return new CommandFailure(
        "cannot write the session into "
            + path
            + ": the file system refuses a hard link ("
            + reason
            + "); choose a --session-file on another file system",
        cause);
  }

  /** Gives {@code draft} the name of a dead owner's file; false: look again. */
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

  /** Refuses, before it is opened, what no 'pagetide open' of this user can have left. */
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

  /** What a session file says; refuses every other file. */
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
      // As below: it is not what create() writes.
    }
    throw new CommandFailure(path + " exists and is no session; " + ELSEWHERE + ", or remove it");
  }

  /**
   * The file's bytes, as many as it says that it has: nothing that a pipe would make us wait for.
   */
  private static String text(FileChannel channel) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(channel.size(), MOST_BYTES));
    while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
      // until all of it is read
    }
    return StandardCharsets.UTF_8.decode(bytes.flip()).toString();
  }

  /**
   * Reads a file that {@link #create} wrote.
   *
   * @throws CommandFailure if there is none, others may read it, or it is not one
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

  /** Removes the file and gives up its lock; does nothing if that was done. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    // While we hold the lock, no other 'pagetide open' replaces our file. But a person may have
    // removed it, and then another one has the name: that file is not ours to remove.
    // RACE: if all of that happens between the check and the removal, that other file is lost.
    try (locked) {
      if (FileIdentity.of(path).isSameAs(identity)) {
        Files.deleteIfExists(path);
      }
    } catch (NoSuchFileException e) {
      // It is gone already.
    } catch (IOException e) {
      throw new CommandFailure("cannot remove " + path + ": " + ErrorLine.reason(e), e);
    }
  }
}
