package dev.pagetide.client.cli;

import dev.pagetide.client.PageRange;
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
  void run(PageRange range, CommandIo io) {
    byte[] bytes;
    try (Progress _ = Progress.begin(io, "reading", 0)) {
      // One byte more than the range holds is enough to be refused.
      bytes = InputBytes.first(range.sizeBytes() + 1, file, io);
    }
    try (Progress _ = Progress.begin(io, "writing " + Figures.bytes((double) bytes.length), 0)) {
      range.write(offset, bytes);
    }
    io.out().println("wrote " + bytes.length + " bytes");
  }
}
