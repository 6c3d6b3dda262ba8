package dev.pagetide.server.os;

import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A {@link PageFile} over a memfd: memory with a descriptor and no name, sealed against any change
 * of its size.
 *
 * <p>The seals are SHRINK, GROW and SEAL. So a client that has the file can neither shorten it
 * while the server uses it, nor let it grow beyond its budget. The file never gets the seals WRITE
 * or FUTURE_WRITE, because with them the kernel would refuse hole punching, even to the creator.
 * See memfd_create(2), fcntl(2) and fallocate(2).
 */
public final class Memfd implements PageFile {
  private static final ThreadLocal<MemorySegment> COPY_BUFFER =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(COPY_BYTES));

  private static final ThreadLocal<MemorySegment> STAT =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Libc.STAT_BYTES, Long.BYTES));

  private static final int BLOCK_BYTES = 512;
  private static final int CALLS_THAT_POLL = 4;

  private final int fd;
  private final SharedFileLayout layout;
  private final Arena arena;
  private final MemorySegment header;
  private final MemorySegment table;

  /** The mapping of the data; null until the first copy needs it. */
  private volatile @Nullable MemorySegment data;

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
   * Makes a file of zeros. Header and table have memory, the data has none.
   *
   * @param name the name that {@code /proc/PID/fd} shows for it; need not be unique
   * @throws SystemCallException if the kernel refused; then no file is left
   */
  public static Memfd create(String name, SharedFileLayout layout) throws SystemCallException {
    int fd = createSealable(name);
    boolean made = false;
    try {
      Libc.ftruncate(fd, layout.sizeBytes());
      Libc.fcntl(fd, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_SEAL);
      Libc.fallocate(fd, 0, 0, layout.dataOffset());
      Memfd file = map(fd, layout);
      made = true;
      return file;
    } finally {
      if (!made) {
        closeQuietly(fd);
      }
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

  /**
   * Maps header and table of a file that has its size already. Owns the descriptor if it returns.
   */
  static Memfd map(int fd, SharedFileLayout layout) throws SystemCallException {
    Arena arena = Arena.ofShared();
    boolean mapped = false;
    try {
      Memfd file = new Memfd(fd, layout, arena, map(fd, 0, layout.dataOffset(), arena));
      mapped = true;
      return file;
    } finally {
      if (!mapped) {
        arena.close();
      }
    }
  }

  @SuppressWarnings("restricted")
  private static MemorySegment map(int fd, long offset, long length, Arena arena)
      throws SystemCallException {
    MemorySegment mapping = MemorySegment.ofAddress(Libc.mmap(fd, length, offset));
    boolean owned = false;
    try {
      // SAFETY: the mapping is `length` bytes and ends with the arena, which ends with this file.
      MemorySegment mapped = mapping.reinterpret(length, arena, segment -> unmap(segment, length));
      owned = true;
      return mapped;
    } finally {
      if (!owned) {
        unmap(mapping, length);
      }
    }
  }

  /** Maps the data when it is first needed, because most files are never copied to or from. */
  private MemorySegment data() throws SystemCallException {
    MemorySegment mapped = data;
    if (mapped != null) {
      return mapped;
    }
    synchronized (arena) {
      mapped = data;
      if (mapped == null) {
        mapped = map(fd, layout.dataOffset(), layout.dataBytes(), arena);
        data = mapped;
      }
      return mapped;
    }
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

  /**
   * Through the mapping, because pwrite(2) takes the inode's lock, and a client can hold that lock
   * for as long as it likes: it writes to its own file from memory that it never fills.
   */
  @Override
  public void write(long offset, ByteBuffer source) throws SystemCallException {
    int length = source.remaining();
    Objects.checkFromIndexSize(offset, (long) length, layout.dataBytes());
    MemorySegment target = data();
    // SAFETY: the file is sealed against shrinking, so no page of the mapping is past its end.
    copy(MemorySegment.ofBuffer(source), 0, target, offset, length); // starts at the position
    source.position(source.limit());
  }

  /**
   * One copy, from mapping to mapping. If the source's pages are not kept, the kernel reads the
   * source instead: then a hole there gives zeros and gains no memory, but each MiB takes half as
   * long again.
   */
  @Override
  public void copyFrom(PageFile source, long sourceOffset, long offset, long length, boolean kept)
      throws SystemCallException {
    if (!(source instanceof Memfd from)) {
      PageFile.super.copyFrom(source, sourceOffset, offset, length, kept);
      return;
    }
    Objects.checkFromIndexSize(sourceOffset, length, from.layout.dataBytes());
    Objects.checkFromIndexSize(offset, length, layout.dataBytes());
    MemorySegment target = data();
    if (kept) {
      // SAFETY: the file is sealed against shrinking, so no page of either mapping is past its end.
      copy(from.data(), sourceOffset, target, offset, length);
      return;
    }
    long position = from.layout.dataOffset() + sourceOffset;
    long copied = 0;
    while (copied < length) {
      MemorySegment rest = target.asSlice(offset + copied);
      long read = Libc.pread(from.fd, rest, length - copied, position + copied);
      if (read == 0) {
        throw new AssertionError("a file sealed against shrinking ended at " + position);
      }
      copied += read;
    }
  }

  /** Through the mapping, for the reason that {@link #write} gives. */
  @Override
  public void writeZeros(long offset, long length) throws SystemCallException {
    Objects.checkFromIndexSize(offset, length, layout.dataBytes());
    MemorySegment target = data();
    inSteps(length, (done, count) -> target.asSlice(offset + done, count).fill((byte) 0));
  }

  private static void copy(
      MemorySegment source, long sourceOffset, MemorySegment target, long offset, long length)
      throws SystemCallException {
    inSteps(
        length,
        (done, count) ->
            MemorySegment.copy(source, sourceOffset + done, target, offset + done, count));
  }

  @FunctionalInterface
  private interface Step {
    void run(long done, long count);
  }

  /**
   * Accesses a mapping in steps of at most {@link #COPY_BYTES}. A safepoint cannot interrupt a
   * step, and each of its page faults may wait until a punch under way in the same file has ended.
   * In one step, the copy of a large range would hold up every thread of the server.
   *
   * @throws SystemCallException if the kernel has no memory for a page, or the page's memory is
   *     broken: it sends SIGBUS, of which the JVM makes an InternalError
   */
  private static void inSteps(long length, Step step) throws SystemCallException {
    try {
      for (long done = 0; done < length; done += COPY_BYTES) {
        step.run(done, Math.min(COPY_BYTES, length - done));
      }
      int _ = poll(CALLS_THAT_POLL);
    } catch (InternalError e) {
      SystemCallException refused =
          new SystemCallException("access to a mapping of " + length + " bytes", Errno.EFAULT);
      refused.initCause(e);
      throw refused;
    }
  }

  /**
   * Has this thread throw what an access before it caused. The JVM throws the error at the next
   * poll for a safepoint, which could otherwise be in the work of another client. A call that is
   * not compiled into its caller has a poll at its end, and a method is compiled into itself once.
   */
  private static int poll(int calls) {
    return calls == 0 ? 0 : 1 + poll(calls - 1);
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
    try {
      // Unmap first, because a late access through the mapping would give the table memory again.
      arena.close();
    } finally {
      try {
        if (punch) {
          punchAll();
        }
      } finally {
        closeDescriptor();
      }
    }
  }

  private void punchAll() {
    try {
      Libc.fallocate(
          fd,
          Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE,
          layout.tableOffset(),
          layout.sizeBytes() - layout.tableOffset());
    } catch (SystemCallException e) {
      // Nothing is lost: the kernel frees the memory with the last descriptor.
    }
  }

  private void closeDescriptor() {
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

  private static void closeQuietly(int fd) {
    try {
      Libc.close(fd);
    } catch (SystemCallException e) {
      // The kernel has released the number nevertheless. The earlier failure is the one to report.
    }
  }
}
