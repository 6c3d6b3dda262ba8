package dev.pagetide.client.cli;

import dev.pagetide.client.SessionTicket;
import java.io.IOException;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Properties;
import java.util.Set;

/**
 * The file by which {@code pagetide open} lends its session to the other commands: the token and
 * the range's shape, readable by its owner only. A token is never on a command line and never in an
 * environment.
 */
final class SessionFile implements AutoCloseable {

  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rw-------");

  private final Path path;

  private SessionFile(Path path) {
    this.path = path;
  }

  /**
   * Writes a new file.
   *
   * @throws CommandFailure if there is one already, or it cannot be written
   */
  static SessionFile create(Path path, SessionTicket ticket) {
    try (SeekableByteChannel channel =
            Files.newByteChannel(
                path,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        Writer writer = Channels.newWriter(channel, StandardCharsets.UTF_8)) {
      ticket.toProperties().store(writer, "A Pagetide session; keep it secret.");
    } catch (FileAlreadyExistsException e) {
      throw new CommandFailure(
          path
              + " exists: another 'pagetide open' holds a session there, or was killed; choose"
              + " another --session-file, or remove it",
          e);
    } catch (IOException e) {
      throw new CommandFailure("cannot write the session into " + path + ": " + reason(e), e);
    }
    return new SessionFile(path);
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
      throw new CommandFailure("cannot read the session from " + path + ": " + reason(e), e);
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new CommandFailure(path + " is not a session file: " + e.getMessage(), e);
    }
  }

  private static String reason(IOException e) {
    return e.getMessage() == null || e.getMessage().endsWith(".session")
        ? e.getClass().getSimpleName()
        : e.getMessage();
  }

  /** Removes the file; does nothing if it is gone. */
  @Override
  public void close() {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new CommandFailure("cannot remove " + path + ": " + reason(e), e);
    }
  }
}
