package dev.pagetide.shm;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * The first page of a shared file. It says what the file is, which server made it, and whether that
 * server still serves it.
 *
 * <pre>
 *   0  u64  magic            "PAGETIDE" read as little-endian text
 *   8  u32  layout version   written last, with release: before it is set the rest means nothing
 *  12  u32  page size        bytes
 *  16  u32  page count
 *  20  u32  zero
 *  24  u64  table offset     bytes
 *  32  u64  data offset      bytes
 *  40  u64  range id
 *  48  u64  server instance
 *  64  u32  state            1 OPEN, 2 CLOSED; a cache line of its own, written by the server
 * 128  4 x u64  the client's own counters: uses, stops, reuses, failures; untrusted
 * </pre>
 *
 * <p>Integers are in the machine's byte order (little-endian on both supported architectures).
 *
 * <p>Thread-safe, because all fields except the state and the counters are written once, before the
 * version.
 */
public final class SharedFileHeader {
  /** "PAGETIDE" as eight ASCII bytes, read as a little-endian integer. */
  public static final long MAGIC = 0x4544_4954_4547_4150L;

  /** {@link #stateAcquire()}: the server serves the range. */
  public static final int OPEN = 1;

  /** {@link #stateAcquire()}: the range has ended; bytes already mapped stay readable. */
  public static final int CLOSED = 2;

  /** The size of the fields of the header; the rest of its page is zero. */
  public static final int SIZE_BYTES = 192;

  private static final long MAGIC_AT = 0;
  private static final long VERSION_AT = 8;
  private static final long PAGE_SIZE_AT = 12;
  private static final long PAGE_COUNT_AT = 16;
  private static final long TABLE_OFFSET_AT = 24;
  private static final long DATA_OFFSET_AT = 32;
  private static final long RANGE_ID_AT = 40;
  private static final long SERVER_INSTANCE_AT = 48;
  private static final long STATE_AT = 64;
  private static final long CLIENT_COUNTS_AT = 128;

  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

  private final MemorySegment header;

  /**
   * A header over the start of a file.
   *
   * @param header at least {@link #SIZE_BYTES} bytes, aligned to 8
   */
  public SharedFileHeader(MemorySegment header) {
    this.header = header.asSlice(0, SIZE_BYTES);
  }

  /**
   * Writes the header of a new file; the state becomes OPEN.
   *
   * <p>ORDER: the version is stored with release, after everything else; {@link #versionAcquire}
   * pairs with it.
   */
  public void writeOnce(SharedFileLayout layout, long rangeId, long serverInstance) {
    header.set(ValueLayout.JAVA_LONG, MAGIC_AT, MAGIC);
    header.set(ValueLayout.JAVA_INT, PAGE_SIZE_AT, layout.pageSize());
    header.set(ValueLayout.JAVA_INT, PAGE_COUNT_AT, layout.pageCount());
    header.set(ValueLayout.JAVA_LONG, TABLE_OFFSET_AT, layout.tableOffset());
    header.set(ValueLayout.JAVA_LONG, DATA_OFFSET_AT, layout.dataOffset());
    header.set(ValueLayout.JAVA_LONG, RANGE_ID_AT, rangeId);
    header.set(ValueLayout.JAVA_LONG, SERVER_INSTANCE_AT, serverInstance);
    header.set(ValueLayout.JAVA_INT, STATE_AT, OPEN);
    INT.setRelease(header, VERSION_AT, SharedFileLayout.VERSION);
  }

  /** The layout version; 0 while the header is not written yet. ORDER: acquire. */
  public int versionAcquire() {
    return (int) INT.getAcquire(header, VERSION_AT);
  }

  /** The file's first eight bytes; {@link #MAGIC} in a Pagetide file. */
  public long magic() {
    return header.get(ValueLayout.JAVA_LONG, MAGIC_AT);
  }

  /**
   * The layout that the header describes. This is for readers of a file; the server keeps its own.
   *
   * @throws IllegalArgumentException if the numbers are not those of a layout
   */
  public SharedFileLayout layout() {
    return new SharedFileLayout(
        header.get(ValueLayout.JAVA_INT, PAGE_SIZE_AT),
        header.get(ValueLayout.JAVA_INT, PAGE_COUNT_AT),
        header.get(ValueLayout.JAVA_LONG, TABLE_OFFSET_AT),
        header.get(ValueLayout.JAVA_LONG, DATA_OFFSET_AT));
  }

  /** The range's public id. */
  public long rangeId() {
    return header.get(ValueLayout.JAVA_LONG, RANGE_ID_AT);
  }

  /** The run of the server that made the file. */
  public long serverInstance() {
    return header.get(ValueLayout.JAVA_LONG, SERVER_INSTANCE_AT);
  }

  /** {@link #OPEN} or {@link #CLOSED}. ORDER: acquire. */
  public int stateAcquire() {
    return (int) INT.getAcquire(header, STATE_AT);
  }

  /** Says that the range has ended. ORDER: release. */
  public void closeRelease() {
    INT.setRelease(header, STATE_AT, CLOSED);
  }

  /**
   * Writes the client's counts. Only the client may call this, from one thread at a time.
   *
   * <p>ORDER: opaque. Each number is whole, and these writes publish nothing else.
   */
  public void writeClientCounts(ClientCounts counts) {
    LONG.setOpaque(header, CLIENT_COUNTS_AT, counts.uses());
    LONG.setOpaque(header, CLIENT_COUNTS_AT + 8, counts.stops());
    LONG.setOpaque(header, CLIENT_COUNTS_AT + 16, counts.reuses());
    LONG.setOpaque(header, CLIENT_COUNTS_AT + 24, counts.failures());
  }

  /** The counts that the client wrote, which may be any numbers. ORDER: opaque. */
  public ClientCounts clientCounts() {
    return new ClientCounts(
        (long) LONG.getOpaque(header, CLIENT_COUNTS_AT),
        (long) LONG.getOpaque(header, CLIENT_COUNTS_AT + 8),
        (long) LONG.getOpaque(header, CLIENT_COUNTS_AT + 16),
        (long) LONG.getOpaque(header, CLIENT_COUNTS_AT + 24));
  }
}
