package dev.pagetide.server.os;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A small file whose text the kernel makes at each reading ({@code /proc/meminfo}, {@code
 * memory.current}). It is opened once and can be read any number of times. Each reading is one
 * system call.
 *
 * <p>Thread-safe. Readers wait for each other; the kernel would make them wait, too, because it
 * keeps one text for each open file. A reading after {@link #close} throws, and never reads another
 * file.
 */
public final class KernelFile implements AutoCloseable {
  /** The text of a file of one number if there is no limit. */
  private static final String MAX = "max";

  /** {@code memory.stat}, the longest file that the server reads in this way, has 2 KiB. */
  private static final int MOST_BYTES = 16 * 1024;

  private final Path path;
  private final int fd;
  private final MemorySegment buffer = Arena.ofAuto().allocate(MOST_BYTES);
  private boolean closed;

  /** Opens the file last, after every allocation here, so that no error can lose the descriptor. */
  private KernelFile(Path path) throws SystemCallException {
    this.path = path;
    this.fd = Libc.open(path.toString(), Libc.O_RDONLY | Libc.O_CLOEXEC);
  }

  /**
   * Opens a file for reading.
   *
   * @throws SystemCallException if the kernel refused; ENOENT if there is no such file
   */
  public static KernelFile open(Path path) throws SystemCallException {
    return new KernelFile(path);
  }

  /**
   * The number of a file that has one number only; {@link Long#MAX_VALUE} for {@code max}.
   * Allocates nothing if the text is a number.
   *
   * @throws IOException if the file cannot be read, or is no number
   */
  public synchronized long number() throws IOException {
    int length = fill();
    long number = 0;
    int at = 0;
    while (at < length) {
      int digit = buffer.get(ValueLayout.JAVA_BYTE, at) - '0';
      if (digit < 0 || digit > 9 || number > (Long.MAX_VALUE - digit) / 10) {
        break;
      }
      number = number * 10 + digit;
      at++;
    }
    if (at > 0 && (at == length || buffer.get(ValueLayout.JAVA_BYTE, at) == '\n')) {
      return number;
    }
    String text = text(length);
    if (text.strip().equals(MAX)) {
      return Long.MAX_VALUE;
    }
    throw new IOException(path + " has no number but '" + text.strip() + "'");
  }

  /**
   * The whole text, as of now.
   *
   * @throws IOException if the file cannot be read, or is too large
   */
  public synchronized String text() throws IOException {
    return text(fill());
  }

  private String text(int length) {
    byte[] bytes = buffer.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
    return new String(bytes, StandardCharsets.US_ASCII);
  }

  private int fill() throws IOException {
    if (closed) {
      throw new IOException(path + " was closed");
    }
    // One read is enough: if the buffer is large enough, the kernel gives the whole file, as it was
    // at one moment.
    int length = (int) Libc.pread(fd, buffer, MOST_BYTES, 0);
    if (length == MOST_BYTES) {
      throw new IOException(path + " has " + MOST_BYTES + " bytes or more: not a file of numbers");
    }
    return length;
  }

  /** The path of the file. */
  public Path path() {
    return path;
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      Libc.close(fd);
    } catch (SystemCallException e) {
      throw new AssertionError("somebody else closed " + path, e);
    }
  }

  @Override
  public String toString() {
    return "KernelFile[" + path + "]";
  }
}
