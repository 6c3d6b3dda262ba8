package dev.pagetide.client.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The bytes of a file or of standard input, read into memory; never more than is asked for. */
final class InputBytes {

  /** Java's arrays have no more. */
  private static final int LARGEST_ARRAY = Integer.MAX_VALUE - 8;

  /** Reading gathers pieces and joins them: what was read is there twice, beside the rest. */
  private static final int PART_OF_HEAP = 4;

  private InputBytes() {}

  /**
   * The first {@code most} bytes, or all if there are fewer.
   *
   * @param file null for standard input
   * @throws CommandFailure if it cannot be read
   */
  static byte[] first(long most, @Nullable Path file, CommandIo io) {
    int bytes = (int) Math.min(most, LARGEST_ARRAY);
    if (file == null) {
      try {
        return io.in().readNBytes(bytes);
      } catch (IOException e) {
        throw new CommandFailure("cannot read standard input: " + ErrorLine.reason(e), e);
      }
    }
    try (InputStream input = Files.newInputStream(file)) {
      return input.readNBytes(bytes);
    } catch (IOException e) {
      throw unread(file, e);
    }
  }

  /**
   * All of the bytes.
   *
   * @param file null for standard input
   * @throws CommandFailure if it cannot be read, or has more than {@code most} bytes
   */
  static byte[] all(long most, @Nullable Path file, CommandIo io) {
    byte[] bytes = first(most + 1, file, io);
    if (bytes.length > most) {
      throw new CommandFailure(
          (file == null ? "standard input" : file.toString())
              + " has more than "
              + most
              + " bytes, which is all that is read of an input whose size is not known before; send"
              + " a file, or raise the limit, a quarter of Java's heap, with"
              + " PAGETIDE_JAVA_OPTS=-Xmx8g");
    }
    return bytes;
  }

  /** How many bytes fit into this process's memory, with room for the work on them. */
  static long mostInMemory() {
    return Math.min(Runtime.getRuntime().maxMemory() / PART_OF_HEAP, LARGEST_ARRAY - 1);
  }

  /** Why {@code file} could not be read. */
  static CommandFailure unread(Path file, IOException e) {
    return e instanceof NoSuchFileException
        ? new CommandFailure("there is no file " + file, e)
        : new CommandFailure("cannot read " + file + ": " + ErrorLine.reason(e), e);
  }
}
