package dev.pagetide.server.os;

import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A {@link PageFile} over a memfd: memory with a descriptor and no name, sealed against any change
 * of its size.
 *
 * <p>The seals are SHRINK, GROW and SEAL: a client that holds the file can neither shorten it under
 * the server nor grow it past its budget. Never WRITE or FUTURE_WRITE, with which the kernel
 * refuses hole punching to its creator too. See memfd_create(2), fcntl(2) and fallocate(2).
 */
public final class Memfd implements PageFile {
  /**
   * Bytes copied by one pread or pwrite: large enough to hide the call (0.2 us in 5 us), small
   * enough to stay in the second-level cache on its way to the heap.
   */
  private static final int COPY_BYTES = 64 * 1024;

  private static final ThreadLocal<MemorySegment> COPY_BUFFER =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(COPY_BYTES));

  private static final ThreadLocal<MemorySegment> STAT =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Libc.STAT_BYTES, Long.BYTES));

  private static final MemorySegment ZEROS = Arena.ofAuto().allocate(COPY_BYTES).asReadOnly();

  private static final int BLOCK_BYTES = 512;

  private final int fd;
  private final SharedFileLayout layout;
  private final Arena arena;
  private final MemorySegment header;
  private final MemorySegment table;

  private Memfd(int fd, SharedFileLayout layout, Arena arena, MemorySegment mapping) {
    this.fd = fd;
    this.layout = layout;
    this.arena = arena;
    this.header = mapping.asSlice(0, layout.pageSize());
    this.table = mapping.asSlice(layout.tableOffset(), (long) layout.pageCount() * Long.BYTES);
  }

  /** Bytes in a page of this system. */
  public static int systemPageSize() {
    return Libc.pageSize();
  }

  /**
   * Makes a file of zeros: header and table have memory, the data has none.
   *
   * @param name what {@code /proc/PID/fd} shows for it; need not be unique
   * @throws SystemCallException if the kernel refused; nothing is left then
   */
  public static Memfd create(String name, SharedFileLayout layout) throws SystemCallException {
    int fd = createSealable(name);
    try {
      Libc.ftruncate(fd, layout.sizeBytes());
      Libc.fcntl(fd, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_SEAL);
      Libc.fallocate(fd, 0, 0, layout.dataOffset());
      return map(fd, layout);
    } catch (SystemCallException | RuntimeException e) {
      closeQuietly(fd, e);
      throw e;
    }
  }

  private static int createSealable(String name) throws SystemCallException {
    int flags = Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING;
    try {
      return Libc.memfd_create(name, flags | Libc.MFD_NOEXEC_SEAL);
    } catch (SystemCallException e) {
      if (e.errno() != Errno.EINVAL) {
        throw e;
      }
      return Libc.memfd_create(name, flags);
    }
  }

  @SuppressWarnings("restricted")
  private static Memfd map(int fd, SharedFileLayout layout) throws SystemCallException {
    long length = layout.dataOffset();
    long address = Libc.mmap(fd, length, 0);
    Arena arena = Arena.ofShared();
    // SAFETY: the mapping is `length` bytes and ends with the arena, which ends with this file.
    MemorySegment mapping =
        MemorySegment.ofAddress(address)
            .reinterpret(length, arena, segment -> unmap(segment, length));
    return new Memfd(fd, layout, arena, mapping);
  }

  @Override
  public SharedFileLayout layout() {
    return layout;
  }

  @Override
  public MemorySegment header() {
    return header;
  }

  @Override
  public MemorySegment table() {
    return table;
  }

  @Override
  public void allocate(int startPage, int endPage) throws SystemCallException {
    fallocatePages(0, startPage, endPage);
  }

  @Override
  public void punch(int startPage, int endPage) throws SystemCallException {
    fallocatePages(Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, startPage, endPage);
  }

  private void fallocatePages(int mode, int startPage, int endPage) throws SystemCallException {
    Objects.checkFromToIndex(startPage, endPage, layout.pageCount());
    long offset = layout.pageOffset(startPage);
    Libc.fallocate(fd, mode, offset, layout.pageOffset(endPage) - offset);
  }

  @Override
  public void read(long offset, ByteBuffer target) throws SystemCallException {
    Objects.checkFromIndexSize(offset, (long) target.remaining(), layout.dataBytes());
    MemorySegment copy = COPY_BUFFER.get();
    long position = layout.dataOffset() + offset;
    while (target.hasRemaining()) {
      int count = Math.min(COPY_BYTES, target.remaining());
      int read = (int) Libc.pread(fd, copy, count, position);
      if (read == 0) {
        throw new AssertionError("a file sealed against shrinking ended at " + position);
      }
      target.put(copy.asSlice(0, read).asByteBuffer());
      position += read;
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws SystemCallException {
    Objects.checkFromIndexSize(offset, (long) source.remaining(), layout.dataBytes());
    MemorySegment copy = COPY_BUFFER.get();
    long position = layout.dataOffset() + offset;
    while (source.hasRemaining()) {
      int count = Math.min(COPY_BYTES, source.remaining());
      MemorySegment.copy(
          MemorySegment.ofBuffer(source), 0, copy, 0, count); // ofBuffer starts at the position
      int written = (int) Libc.pwrite(fd, copy, count, position);
      source.position(source.position() + written);
      position += written;
    }
  }

  @Override
  public void writeZeros(long offset, long length) throws SystemCallException {
    Objects.checkFromIndexSize(offset, length, layout.dataBytes());
    long position = layout.dataOffset() + offset;
    long end = position + length;
    while (position < end) {
      position += Libc.pwrite(fd, ZEROS, Math.min(COPY_BYTES, end - position), position);
    }
  }

  @Override
  public long residentPages() throws SystemCallException {
    MemorySegment stat = STAT.get();
    Libc.fstat(fd, stat);
    long blocks = stat.get(ValueLayout.JAVA_LONG, Libc.ST_BLOCKS_OFFSET);
    return blocks * BLOCK_BYTES / layout.pageSize();
  }

  @Override
  public FileDuplicate duplicate() throws SystemCallException {
    return FileDuplicate.of(fd);
  }

  @Override
  public void close(boolean punch) {
    // Unmapped first: a late access through the mapping would give the table memory again.
    arena.close();
    try {
      if (punch) {
        Libc.fallocate(
            fd,
            Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE,
            layout.tableOffset(),
            layout.sizeBytes() - layout.tableOffset());
      }
    } catch (SystemCallException e) {
      // Nothing is lost: the kernel frees the memory with the last descriptor.
    }
    try {
      Libc.close(fd);
    } catch (SystemCallException e) {
      throw new AssertionError("the owner closed a descriptor twice", e);
    }
  }

  /** The descriptor's number, for tests that reach the file behind the server's back. */
  int descriptor() {
    return fd;
  }

  @Override
  public String toString() {
    return "Memfd[fd=" + fd + ", " + layout + "]";
  }

  private static void unmap(MemorySegment mapping, long length) {
    try {
      Libc.munmap(mapping, length);
    } catch (SystemCallException e) {
      throw new AssertionError("the arena unmapped what it had not mapped", e);
    }
  }

  private static void closeQuietly(int fd, Exception because) {
    try {
      Libc.close(fd);
    } catch (SystemCallException e) {
      because.addSuppressed(e);
    }
  }
}
