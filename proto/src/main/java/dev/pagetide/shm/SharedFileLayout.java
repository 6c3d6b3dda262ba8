package dev.pagetide.shm;

/**
 * The layout of a shared file: a header, the page table, and the pages.
 *
 * <pre>
 * 0             header   one page; see {@link SharedFileHeader}
 * tableOffset   table    8 bytes a page; starts on a page of its own
 * dataOffset    data     pageCount x pageSize; starts on a page
 * </pre>
 *
 * <p>The layout is a pure function of the page size and the page count. So both sides can compute
 * it, and neither has to trust the other.
 *
 * @param pageSize bytes in a page: a power of two, at least 4096
 * @param pageCount pages of data: 1 to {@link #MAX_PAGE_COUNT}
 * @param tableOffset where the page table starts, in bytes
 * @param dataOffset where page 0 starts, in bytes
 */
public record SharedFileLayout(int pageSize, int pageCount, long tableOffset, long dataOffset) {
  /** The version of the layout described here. */
  public static final int VERSION = 1;

  /** The most pages a range can have: 2^27, 512 GiB of 4 KiB pages; its table is 1 GiB. */
  public static final int MAX_PAGE_COUNT = 1 << 27;

  /** Checks that the four numbers are those of {@link #of}. */
  public SharedFileLayout {
    checkPageSize(pageSize);
    if (pageCount < 1 || pageCount > MAX_PAGE_COUNT) {
      throw new IllegalArgumentException(
          "page count " + pageCount + " is not within [1, " + MAX_PAGE_COUNT + "]");
    }
    if (tableOffset != pageSize || dataOffset != tableOffset + tableBytes(pageSize, pageCount)) {
      throw new IllegalArgumentException(
          "offsets table="
              + tableOffset
              + " data="
              + dataOffset
              + " are not those of "
              + pageCount
              + " pages of "
              + pageSize
              + " bytes");
    }
  }

  /**
   * The layout of a file of {@code pageCount} pages.
   *
   * @throws IllegalArgumentException if a number is outside its bounds
   */
  public static SharedFileLayout of(int pageSize, int pageCount) {
    checkPageSize(pageSize);
    return new SharedFileLayout(
        pageSize, pageCount, pageSize, pageSize + tableBytes(pageSize, pageCount));
  }

  /** The size of the whole file, in bytes. */
  public long sizeBytes() {
    return dataOffset + dataBytes();
  }

  /** The size of the pages alone, in bytes. */
  public long dataBytes() {
    return (long) pageCount * pageSize;
  }

  /**
   * How many pages header and table take together. They are resident from the creation of the file
   * to its end.
   */
  public int bookkeepingPages() {
    return Math.toIntExact(dataOffset / pageSize);
  }

  /**
   * Where a page starts, in bytes from the start of the file; {@code page} may equal the page
   * count.
   */
  public long pageOffset(int page) {
    return dataOffset + (long) page * pageSize;
  }

  private static void checkPageSize(int pageSize) {
    if (Integer.bitCount(pageSize) != 1 || pageSize < 4096) {
      throw new IllegalArgumentException(
          "page size " + pageSize + " is not a power of two >= 4096");
    }
  }

  private static long tableBytes(int pageSize, int pageCount) {
    long bytes = (long) pageCount * Long.BYTES;
    return (bytes + pageSize - 1) / pageSize * pageSize;
  }
}
