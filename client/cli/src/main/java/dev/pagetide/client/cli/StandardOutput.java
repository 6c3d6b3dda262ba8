package dev.pagetide.client.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** This process's standard output. It keeps the reason why it could not be written. */
final class StandardOutput extends PrintStream {

  private static final Path DESCRIPTOR = Path.of("/proc/self/fd/1");
  private static final Path DESCRIPTOR_INFO = Path.of("/proc/self/fdinfo/1");

  /** The line of {@code fdinfo} that has the flags of open(2), in octal digits. */
  private static final String FLAGS = "flags:";

  /** The value on x86-64 and aarch64. */
  private static final long O_NONBLOCK = 0x800;

  /** The texts of EPIPE and ECONNRESET. */
  private static final List<String> READER_GONE =
      List.of("Broken pipe", "Connection reset by peer");

  private final Sink sink;
  private final boolean pipe;

  private StandardOutput(Sink sink, boolean pipe) {
    super(sink, true, StandardCharsets.UTF_8);
    this.sink = sink;
    this.pipe = pipe;
  }

  static StandardOutput ofProcess() {
    return new StandardOutput(new Sink(new FileOutputStream(FileDescriptor.out)), isPipe());
  }

  private static boolean isPipe() {
    try {
      String name = Files.readSymbolicLink(DESCRIPTOR).toString();
      return name.startsWith("pipe:") || name.startsWith("socket:");
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * Whether the process that read the output has closed it. A pipe or socket whose writes block
   * fails in no other way. One whose writes do not block also fails when it is full; there only the
   * kernel's message tells the two cases apart.
   */
  boolean readerIsGone() {
    if (!pipe || !checkError()) {
      return false;
    }
    String refusal = refusal();
    return (refusal != null && READER_GONE.contains(refusal)) || isBlocking();
  }

  private static boolean isBlocking() {
    try (Stream<String> lines = Files.lines(DESCRIPTOR_INFO)) {
      return lines
          .filter(line -> line.startsWith(FLAGS))
          .map(line -> Long.parseLong(line.substring(FLAGS.length()).strip(), 8))
          .allMatch(flags -> (flags & O_NONBLOCK) == 0);
    } catch (IOException | UncheckedIOException e) {
      return true; // blocking is the usual case, and /proc is not there
    }
  }

  /** The kernel's message when it refused the output; null if it did not. */
  @Nullable String refusal() {
    IOException refused = sink.refused;
    return refused == null ? null : refused.getMessage();
  }

  /** Keeps the first failure, which PrintStream does not report. */
  private static final class Sink extends FilterOutputStream {

    private volatile @Nullable IOException refused;

    Sink(OutputStream to) {
      super(to);
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      try {
        out.write(bytes, offset, length);
      } catch (IOException e) {
        if (refused == null) {
          refused = e;
        }
        throw e;
      }
    }
  }
}
