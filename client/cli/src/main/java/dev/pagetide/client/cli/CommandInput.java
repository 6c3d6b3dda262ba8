package dev.pagetide.client.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The input bytes of a command. Their number is known before any of them is used: the input is a
 * large file, which is read piece by piece, or bytes that are in memory already. Confined to one
 * thread.
 */
/*
 * Small files are read into memory as pipes are, because the size that a file of /proc or /sys
 * reports is not that of its content: it is 0, or 4096.
 */
final class CommandInput implements AutoCloseable {
  /** The number of bytes that are moved at once. */
  static final int PIECE_BYTES = 8 << 20;

  /** Files of up to this size are read into memory. */
  private static final long SMALL_BYTES = 1 << 20;

  private final String name;
  private final long sizeBytes;

  /** The file; null if the bytes are in {@link #read}. */
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
   * @param most how many bytes the caller wants at most. Of an input whose size is not known
   *     before, one byte more is read, and {@link #sizeBytes} is then {@code most} + 1
   * @throws CommandFailure if the input cannot be read, or has to be read into memory and is too
   *     large for that
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

  /** The input's name in messages. */
  String name() {
    return name;
  }

  /** The number of bytes. */
  long sizeBytes() {
    return sizeBytes;
  }

  /** The size in words: "more than {@code most}" if the rest was not read. */
  String size(long most) {
    return channel == null && sizeBytes > most
        ? "more than " + most + " bytes"
        : sizeBytes + " bytes";
  }

  /**
   * Fills {@code into} with the next bytes.
   *
   * @throws CommandFailure if there are fewer bytes, or they cannot be read
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
