package dev.pagetide.client.cli;

import dev.pagetide.client.PageRange;
import java.io.IOException;
import java.io.PrintStream;
import java.util.HexFormat;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code pagetide read}: copies bytes of USED pages to standard output. */
@Command(name = "read", description = "Write bytes of USED pages to standard output.")
final class ReadCommand extends SessionCommand {

  private static final int BYTES_A_LINE = 16;

  @Parameters(
      index = "0",
      paramLabel = "OFFSET",
      converter = SizeConverter.class,
      description = "Bytes from the range's start.")
  private long offset;

  @Parameters(
      index = "1",
      paramLabel = "LENGTH",
      converter = SizeConverter.class,
      description = "How many bytes.")
  private long length;

  @Option(
      names = "--hex",
      description = "Print a dump, 16 bytes a line, instead of the bytes (default: the bytes).")
  private boolean hex;

  @Override
  void run(PageRange range, CommandIo io) throws IOException {
    // Each piece is whole lines of the dump, whatever the server's limit is.
    int most = Math.max(range.maxDataBytes() / BYTES_A_LINE * BYTES_A_LINE, BYTES_A_LINE);
    try (Progress progress = Progress.besideOutput(io, "reading", length)) {
      read(range, io, most, progress);
    }
  }

  private void read(PageRange range, CommandIo io, int most, Progress progress) throws IOException {
    long done = 0;
    do {
      int piece = (int) Math.min(length - done, most);
      byte[] bytes = range.read(offset + done, piece);
      if (hex) {
        dump(io.out(), offset + done, bytes);
      } else {
        io.out().write(bytes);
      }
      done += piece;
      progress.at(done);
    } while (done < length && !io.out().checkError());
  }

  private static void dump(PrintStream out, long start, byte[] bytes) {
    HexFormat format = HexFormat.ofDelimiter(" ");
    for (int at = 0; at < bytes.length; at += BYTES_A_LINE) {
      int end = Math.min(at + BYTES_A_LINE, bytes.length);
      StringBuilder text = new StringBuilder();
      for (int i = at; i < end; i++) {
        text.append(bytes[i] >= ' ' && bytes[i] < 0x7f ? (char) bytes[i] : '.');
      }
      out.printf(
          Locale.ROOT, "%08x  %-47s  %s%n", start + at, format.formatHex(bytes, at, end), text);
    }
  }
}
