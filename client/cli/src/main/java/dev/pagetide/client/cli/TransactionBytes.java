package dev.pagetide.client.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Copies a transaction's bytes to a stream. */
final class TransactionBytes {

  private static final int PIECE_BYTES = 64 << 10;

  private TransactionBytes() {}

  /** Writes all of {@code bytes} and flushes. Reports to {@code progress} how many are written. */
  static void write(MemorySegment bytes, OutputStream out, Progress progress) throws IOException {
    byte[] piece = new byte[(int) Math.min(bytes.byteSize(), PIECE_BYTES)];
    for (long at = 0; at < bytes.byteSize(); at += piece.length) {
      int length = (int) Math.min(bytes.byteSize() - at, piece.length);
      MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, piece, 0, length);
      out.write(piece, 0, length);
      progress.at(at + length);
    }
    out.flush();
  }
}
