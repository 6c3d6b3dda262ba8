package dev.pagetide.client.handover;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * What nobody who copies once can be quicker than: one process writes a message into pages of one
 * file, copies it into pages of another one, and reads it there, all of them mapped and warm.
 *
 * @param sizeBytes of the message
 * @param write the median to write it, in microseconds
 * @param copy the median to copy it, in microseconds
 * @param read the median to read it, in microseconds
 */
record CopyFloor(int sizeBytes, double write, double copy, double read) {
  private static final int MESSAGES = 2_000;

  /** Memory like a memfd's, where there is such a file system. */
  private static final Path SHARED_MEMORY = Path.of("/dev/shm");

  static CopyFloor measure(int sizeBytes) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment source = map(sizeBytes, arena);
      MemorySegment target = map(sizeBytes, arena);
      long[] write = new long[MESSAGES];
      long[] copy = new long[MESSAGES];
      long[] read = new long[MESSAGES];
      for (int message = -MESSAGES; message < MESSAGES; message++) {
        int slot = Math.max(0, message);
        long start = System.nanoTime();
        Payload.write(source, MESSAGES + message);
        long written = System.nanoTime();
        target.copyFrom(source);
        long copied = System.nanoTime();
        long number = Payload.read(target);
        read[slot] = System.nanoTime() - copied;
        copy[slot] = copied - written;
        write[slot] = written - start;
        if (number != MESSAGES + message) {
          throw new IllegalStateException("message " + number + " is not the one written");
        }
      }
      return new CopyFloor(sizeBytes, median(write), median(copy), median(read));
    }
  }

  private static MemorySegment map(int sizeBytes, Arena arena) throws IOException {
    Path file =
        Files.isWritable(SHARED_MEMORY)
            ? Files.createTempFile(SHARED_MEMORY, "pt-", "")
            : Files.createTempFile("pt-", "");
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.DELETE_ON_CLOSE)) {
      return channel.map(FileChannel.MapMode.READ_WRITE, 0, sizeBytes, arena);
    }
  }

  private static double median(long[] nanos) {
    Arrays.sort(nanos);
    return nanos[nanos.length / 2] / 1e3;
  }

  /** Megabytes a second where the three follow each other. */
  double megabytesPerSecond() {
    return sizeBytes / (write + copy + read);
  }
}
