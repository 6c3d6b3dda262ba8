package dev.pagetide.client.cli;

import dev.pagetide.client.PageRange;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code pagetide write}: copies a file or standard input into USED pages. */
@Command(name = "write", description = "Copy a file or standard input into USED pages.")
final class WriteCommand extends SessionCommand {

  @Parameters(
      index = "0",
      paramLabel = "OFFSET",
      converter = SizeConverter.class,
      description = "Bytes from the range's start.")
  private long offset;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "FILE",
      description = "The file whose bytes are written (default: standard input).")
  private @Nullable Path file;

  @Override
  void run(PageRange range, CommandIo io) throws IOException {
    byte[] bytes;
    try (Progress _ = Progress.begin(io, "reading", 0)) {
      bytes = bytes(range, io);
    }
    try (Progress _ = Progress.begin(io, "writing " + Figures.bytes((double) bytes.length), 0)) {
      range.write(offset, bytes);
    }
    io.out().println("wrote " + bytes.length + " bytes");
  }

  /** All of the input; one byte more than the range holds is enough to be refused. */
  private byte[] bytes(PageRange range, CommandIo io) throws IOException {
    int most = (int) Math.min(range.sizeBytes() + 1, Integer.MAX_VALUE - 8);
    if (file == null) {
      return io.in().readNBytes(most);
    }
    try (InputStream input = Files.newInputStream(file)) {
      return input.readNBytes(most);
    } catch (NoSuchFileException e) {
      throw new CommandFailure("there is no file " + file, e);
    } catch (IOException e) {
      throw new CommandFailure("cannot read " + file + ": " + ErrorLine.reason(e), e);
    }
  }
}
