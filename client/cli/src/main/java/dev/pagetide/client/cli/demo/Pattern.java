package dev.pagetide.client.cli.demo;

/** Bytes that differ between any two pages, and between any two writers. */
final class Pattern {

  private Pattern() {}

  /** The bytes that the writer of {@code seed} puts into page {@code page}; few are zero. */
  static byte[] page(int seed, int page, int pageSize) {
    byte[] bytes = new byte[pageSize];
    for (int i = 0; i < pageSize; i++) {
      bytes[i] = (byte) (seed * 31 + page * 7 + i * 13 + (i >>> 8) + 1);
    }
    return bytes;
  }
}
