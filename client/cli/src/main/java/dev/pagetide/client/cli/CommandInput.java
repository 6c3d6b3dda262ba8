package dev.pagetide.client.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The bytes that a command takes in, whose number is known before any of them is used: a large
 * file, which is read piece by piece, or what was read into memory already. Confined to one thread.
 */
/*
 * Small files are read into memory as pipes are, because the size that a file of /proc or /sys
 * tells is not that of its content: 0, or 4096.
 */
final class CommandInput implements AutoCloseable {
  /** How much is moved at once. */
  static final int PIECE_BYTES = 8 << 20;

  /** Files up to this are read into memory. */
  private static final long SMALL_BYTES = 1 << 20;

  private final String name;
  private final long sizeBytes;

  /** The file; null: the bytes are in {@link #read}. */
  private final @Nullable FileChannel channel;

  private final ByteBuffer read;

  private CommandInput(
      String name, long sizeBytes, @Nullable FileChannel channel, ByteBuffer read) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.channel = channel;
    this.read = read;
  }

  /**
   * Opens an input.
   *
   * @param file null for standard input
   * @param most how many bytes are wanted: of an input whose size is not known before, one more is
   *     read, and {@link #sizeBytes} is that
   * @throws CommandFailure if it cannot be read, or is larger than memory while it has to be read
   *     there
   */
  static CommandInput open(@Nullable Path file, long most, CommandIo io) {
    String name = file == null ? "standard input" : file.toString();
    try {
      if (file != null && Files.isRegularFile(file) && Files.size(file) > SMALL_BYTES) {
        FileChannel channel = FileChannel.open(file);
        return new CommandInput(name, channel.size(), channel, ByteBuffer.allocate(0));
      }
    } catch (IOException e) {
      throw InputBytes.unread(file, e);
    }
    try (Progress _ = Progress.begin(io, "reading " + name, 0)) {
      byte[] bytes = InputBytes.atMost(most, file, io);
      return new CommandInput(name, bytes.length, null, ByteBuffer.wrap(bytes));
    }
  }

  /** What it is called in messages. */
  String name() {
    return name;
  }

  /** How many bytes it has. */
  long sizeBytes() {
    return sizeBytes;
  }

  /** What is said of its size: at least so much, where more was not read. */
  String size(long most) {
    return channel == null && sizeBytes > most
        ? "more than " + most + " bytes"
        : sizeBytes + " bytes";
  }

  /**
   * Fills {@code into} with the bytes that come next.
   *
   * @throws CommandFailure if there are less, or they cannot be read
   */
  void next(ByteBuffer into) {
    if (channel == null) {
      int length = into.remaining();
      into.put(read.slice(read.position(), length));
      read.position(read.position() + length);
      return;
    }
    try {
      while (into.hasRemaining()) {
        if (channel.read(into) < 0) {
          throw new CommandFailure(
              name
                  + " became shorter by "
                  + (sizeBytes - channel.position())
                  + " bytes while it was read");
        }
      }
    } catch (IOException e) {
      throw new CommandFailure("cannot read " + name + ": " + ErrorLine.reason(e), e);
    }
  }

  @Override
  public void close() throws IOException {
    if (channel != null) {
      channel.close();
    }
  }
}
