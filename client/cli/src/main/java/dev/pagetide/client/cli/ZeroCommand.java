package dev.pagetide.client.cli;

import dev.pagetide.client.PageRange;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code pagetide zero}: fills bytes of USED pages with zeros. */
@Command(name = "zero", description = "Fill bytes of USED pages with zeros.")
final class ZeroCommand extends SessionCommand {

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

  @Override
  void run(PageRange range, CommandIo io) {
    range.fillZero(offset, length);
    io.out().println("zeroed " + length + " bytes");
  }
}
