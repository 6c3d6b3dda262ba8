package dev.pagetide.client.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a file or of standard input, read into memory; at most one byte more than the caller
 * wants.
 */
final class InputBytes {

  /** The largest size of an array in Java. */
  private static final int LARGEST_ARRAY = Integer.MAX_VALUE - 8;

  /**
   * Reading gathers pieces and joins them, so the bytes are in memory twice, beside everything
   * else.
   */
  private static final int PART_OF_HEAP = 4;

  private InputBytes() {}

  /**
   * All bytes; or, if there are more than {@code most}, the first {@code most} + 1.
   *
   * @param file null for standard input
   * @throws CommandFailure if the input cannot be read, or has more bytes than fit into memory and
   *     is not known to have more than {@code most}
   */
  static byte[] atMost(long most, @Nullable Path file, CommandIo io) {
    long inMemory = mostInMemory();
    byte[] bytes = first((int) Math.min(most, inMemory) + 1, file, io);
    if (bytes.length > inMemory && inMemory < most) {
      throw new CommandFailure(
          (file == null ? "standard input" : file.toString())
              + " has more than "
              + inMemory
              + " bytes, which is all that is read of an input whose size is not known before; "
              + remedy(inMemory, Runtime.getRuntime().maxMemory()));
    }
    return bytes;
  }

  /** What the user can do about the limit of {@code inMemory} bytes. */
  static String remedy(long inMemory, long heapBytes) {
    return inMemory >= LARGEST_ARRAY - 1
        ? "write it to a regular file, and name that"
        : "name a regular file, or raise the limit, a quarter of Java's heap (now "
            + heapBytes
            + " bytes), with -Xmx in PAGETIDE_JAVA_OPTS";
  }

  private static byte[] first(int bytes, @Nullable Path file, CommandIo io) {
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

  /** The number of bytes that fit into this process's memory, with room for working on them. */
  static long mostInMemory() {
    return Math.min(Runtime.getRuntime().maxMemory() / PART_OF_HEAP, LARGEST_ARRAY - 1);
  }

  /** Why {@code file} could not be read. */
  static CommandFailure unread(@Nullable Path file, IOException e) {
    return e instanceof NoSuchFileException
        ? new CommandFailure("there is no file " + file, e)
        : new CommandFailure("cannot read " + file + ": " + ErrorLine.reason(e), e);
  }
}
