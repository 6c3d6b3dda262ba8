package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.Opened;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The one mapping of a range's file into this process, and its end.
 *
 * <p>Any number of threads may call any method at once, including {@link #close}. The mapping
 * belongs to a shared arena, so no access can crash after its end: an access that comes too late
 * throws {@link IllegalStateException}. A caller that makes segments of these bytes which the arena
 * does not know must {@linkplain #borrow borrow} them.
 */
final class MappedFile implements AutoCloseable {

  private final SharedFileLayout layout;
  private final Arena arena;
  private final MemorySegment mapping;
  private final MemorySegment data;

  /**
   * Non-null only if {@link #mapAnew} is to work. Its number is used only under the lock and before
   * {@link #closing} is set, because the kernel may give the number of a closed descriptor to
   * another file.
   */
  private final @Nullable FileDescriptor file;

  /** Device and inode, by which {@link #mapAnew} recognizes the file. */
  private final Object identity;

  /** The number of holders of bytes that the end of {@link #arena} does not protect. */
  @GuardedBy("this")
  private int borrowers;

  @GuardedBy("this")
  private boolean closing;

  private MappedFile(
      SharedFileLayout layout,
      Arena arena,
      MemorySegment mapping,
      @Nullable FileDescriptor file,
      Object identity) {
    this.layout = layout;
    this.arena = arena;
    this.mapping = mapping;
    this.data = mapping.asSlice(layout.dataOffset(), layout.dataBytes());
    this.file = file;
    this.identity = identity;
  }

  /**
   * Maps a file, after checking that it is the file that {@code opened} describes.
   *
   * @param file closed by this method, or with the mapping
   * @param keepFile whether to keep the file open for {@link #mapAnew}
   * @throws PagetideException if it is another file, or cannot be mapped
   */
  static MappedFile map(FileDescriptor file, Opened opened, boolean keepFile) {
    boolean kept = false;
    try {
      SharedFileLayout layout = SharedFileLayout.of(opened.getPageSize(), opened.getPageCount());
      Object identity = checkKind(file, layout);
      try (FileChannel channel = open(file, FileChannel.MapMode.READ_WRITE)) {
        checkHeader(channel, layout, opened);
        MappedFile mapped = map(channel, layout, keepFile ? file : null, identity);
        kept = keepFile;
        return mapped;
      }
    } catch (IOException | IllegalArgumentException e) {
      throw PagetideException.local(
          StatusCode.UNAVAILABLE,
          "the file from the hand-off cannot be mapped: " + e.getMessage(),
          e);
    } finally {
      if (!kept) {
        Handoff.closeQuietly(file);
      }
    }
  }

  private static MappedFile map(
      FileChannel channel, SharedFileLayout layout, @Nullable FileDescriptor file, Object identity)
      throws IOException {
    Arena arena = Arena.ofShared();
    boolean done = false;
    try {
      MemorySegment mapping =
          map(channel, FileChannel.MapMode.READ_WRITE, 0, layout.sizeBytes(), arena);
      MappedFile mapped = new MappedFile(layout, arena, mapping, file, identity);
      done = true;
      return mapped;
    } finally {
      if (!done) {
        arena.close();
      }
    }
  }

  /**
   * Maps bytes that the file has. {@link FileChannel#map} would extend a file that is too short.
   */
  private static MemorySegment map(
      FileChannel channel, FileChannel.MapMode mode, long offset, long length, Arena arena)
      throws IOException {
    long size = channel.size();
    if (size < offset + length) {
      throw new IOException(
          "it has size_bytes="
              + size
              + ", too few for ["
              + offset
              + ", "
              + (offset + length)
              + ")");
    }
    return channel.map(mode, offset, length, arena);
  }

  /** Opens our own descriptor again by its number, which needs no native call. */
  private static FileChannel open(FileDescriptor file, FileChannel.MapMode mode)
      throws IOException {
    return mode.equals(FileChannel.MapMode.READ_ONLY)
        ? FileChannel.open(path(file), StandardOpenOption.READ)
        : FileChannel.open(path(file), StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  private static Path path(FileDescriptor file) {
    return Path.of("/proc/self/fd/" + file.intValue());
  }

  /**
   * Checks what kind of file the descriptor is, without opening it.
   *
   * @return device and inode
   */
  private static Object checkKind(FileDescriptor file, SharedFileLayout layout) throws IOException {
    BasicFileAttributes found = Files.readAttributes(path(file), BasicFileAttributes.class);
    if (!found.isRegularFile()) {
      throw new IOException("it is no regular file");
    }
    if (found.size() != layout.sizeBytes()) {
      throw new IOException(
          "it has " + found.size() + " bytes, and should have " + layout.sizeBytes());
    }
    return Objects.requireNonNull(found.fileKey(), "a file without device and inode");
  }

  private static void checkHeader(FileChannel channel, SharedFileLayout layout, Opened opened)
      throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment start = arena.allocate(SharedFileHeader.SIZE_BYTES, Long.BYTES);
      ByteBuffer buffer = start.asByteBuffer();
      while (buffer.hasRemaining() && channel.read(buffer, buffer.position()) > 0) {}
      SharedFileHeader header = new SharedFileHeader(start);
      if (header.versionAcquire() != SharedFileLayout.VERSION
          || header.magic() != SharedFileHeader.MAGIC) {
        throw new IOException(
            "it is not a Pagetide file of layout version " + SharedFileLayout.VERSION);
      }
      if (!header.layout().equals(layout)
          || header.rangeId() != opened.getRangeId()
          || header.serverInstance() != opened.getServerInstance()) {
        throw new IOException("its header tells of another range than the one that was opened");
      }
    }
  }

  SharedFileLayout layout() {
    return layout;
  }

  /** All of the file: header, table and data. */
  MemorySegment mapping() {
    return mapping;
  }

  /** The pages' bytes. */
  MemorySegment data() {
    return data;
  }

  /**
   * The {@code length} bytes at {@code offset} of the data, in a mapping of their own, which ends
   * with {@code lifetime}. Only if the file was kept open.
   *
   * @throws IllegalStateException if this was closed
   * @throws PagetideException RESOURCE_EXHAUSTED if the host refuses another mapping
   */
  synchronized MemorySegment mapAnew(
      long offset, long length, FileChannel.MapMode mode, Arena lifetime) {
    Objects.checkFromIndexSize(offset, length, data.byteSize());
    FileDescriptor kept = file;
    if (kept == null) {
      throw new IllegalStateException("the file was not kept");
    }
    if (closing) {
      throw new IllegalStateException("the file was closed");
    }
    boolean interrupted = false;
    try {
      while (true) {
        interrupted |= Thread.interrupted(); // it would close the channel, and this never waits
        checkIsSame(kept);
        try (FileChannel channel = open(kept, mode)) {
          return map(channel, mode, layout.dataOffset() + offset, length, lifetime);
        } catch (ClosedByInterruptException e) {
          interrupted = true;
        }
      }
    } catch (IOException e) {
      throw PagetideException.local(
          StatusCode.RESOURCE_EXHAUSTED,
          "the host refuses to map these pages once more: " + e.getMessage(),
          e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Code outside this library may have closed our descriptor and opened another file. */
  private void checkIsSame(FileDescriptor kept) throws IOException {
    if (!checkKind(kept, layout).equals(identity)) {
      throw new IOException(
          "descriptor "
              + kept.intValue()
              + " belongs to another file now: code outside this library has closed it; let only"
              + " the library close its descriptors");
    }
  }

  /** Whether {@link #mapAnew} works. */
  boolean keepsFile() {
    return file != null;
  }

  /**
   * Keeps the file mapped beyond {@link #close}, until {@link #letGo}.
   *
   * @return whether it is still mapped; if not, the caller must not call {@link #letGo}
   */
  synchronized boolean borrow() {
    if (closing) {
      return false;
    }
    borrowers++;
    return true;
  }

  /** Ends one {@link #borrow}. */
  void letGo() {
    synchronized (this) {
      borrowers--;
      if (borrowers > 0 || !closing) {
        return;
      }
    }
    unmap();
  }

  /**
   * Unmaps the file. Idempotent. An access of another thread that is under way fails. If it cannot
   * fail (a read or write of a channel on the mapped bytes, or borrowed bytes), the file is
   * unmapped as soon as that access has ended.
   */
  @Override
  public void close() {
    boolean borrowed;
    synchronized (this) {
      closing = true;
      borrowed = borrowers > 0;
      FileDescriptor kept = file;
      if (kept != null && kept.isOpen()) {
        Handoff.closeQuietly(kept);
      }
    }
    if (!borrowed) {
      unmap();
    }
  }

  private void unmap() {
    SegmentLifetime.end(arena);
  }

  /** Whether it was not closed yet, or is still accessed. */
  boolean isMapped() {
    return arena.scope().isAlive();
  }
}
