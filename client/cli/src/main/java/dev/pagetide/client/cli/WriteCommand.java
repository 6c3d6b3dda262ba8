package dev.pagetide.client.cli;

import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideException;
import java.io.IOException;
import java.nio.ByteBuffer;
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
    long room = Math.max(0, range.sizeBytes() - offset);
    try (CommandInput input = CommandInput.open(file, room, io)) {
      if (input.sizeBytes() > room) {
        throw new CommandFailure(
            input.name()
                + " has "
                + input.size(room)
                + ", and the range has "
                + room
                + " from offset "
                + offset
                + " on; nothing was written: give fewer bytes, or open a larger range");
      }
      io.out().println("wrote " + write(input, range, io) + " bytes");
    }
  }

  /** Writes all of {@code input}, piece by piece. Returns the number of bytes. */
  private long write(CommandInput input, PageRange range, CommandIo io) {
    long size = input.sizeBytes();
    long written = 0;
    ByteBuffer piece = ByteBuffer.allocate((int) Math.min(size, CommandInput.PIECE_BYTES));
    try (Progress progress = Progress.begin(io, "writing", size)) {
      do { // runs once for 0 bytes, too, so that the range checks such a write
        piece.clear().limit((int) Math.min(size - written, piece.capacity()));
        input.next(piece);
        range.write(offset + written, piece.flip());
        written += piece.limit();
        progress.at(written);
      } while (written < size);
      return written;
    } catch (PagetideException e) {
      throw failure(e, sentence(e), written + e.completedBytes(), size);
    } catch (CommandFailure e) {
      throw failure(e, String.valueOf(e.getMessage()), written, size);
    }
  }

  private static RuntimeException failure(
      RuntimeException cause, String sentence, long written, long size) {
    return written == 0
        ? cause
        : new CommandFailure(
            sentence + "; the first " + written + " of " + size + " bytes were written", cause);
  }
}
