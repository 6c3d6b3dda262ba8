package dev.pagetide.client.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** This process's standard output, which knows why it could not be written. */
final class StandardOutput extends PrintStream {

  private static final Path DESCRIPTOR = Path.of("/proc/self/fd/1");

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

  /** Whether the process that read the output has closed it: a pipe fails in no other way. */
  boolean readerIsGone() {
    return pipe && checkError();
  }

  /** What the kernel said when it refused the output; null if it did not. */
  @Nullable String refusal() {
    IOException refused = sink.refused;
    return refused == null ? null : refused.getMessage();
  }

  /** Remembers the first failure, which PrintStream keeps to itself. */
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
