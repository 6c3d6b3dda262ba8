package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.Opened;
import io.grpc.Status;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The one mapping of a range's file into this process, and its end.
 *
 * <p>Any number of threads may call any method at once, {@link #close} included: the mapping is a
 * shared arena's, whose end no access survives to crash on; an access that comes too late throws
 * {@link IllegalStateException}. Whoever makes segments of its bytes that the arena does not know
 * of must {@linkplain #borrow borrow} them.
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

  /** Those who hold bytes that the end of {@link #arena} would not save from a crash. */
  @GuardedBy("this")
  private int borrowers;

  @GuardedBy("this")
  private boolean closing;

  private MappedFile(
      SharedFileLayout layout, Arena arena, MemorySegment mapping, @Nullable FileDescriptor file) {
    this.layout = layout;
    this.arena = arena;
    this.mapping = mapping;
    this.data = mapping.asSlice(layout.dataOffset(), layout.dataBytes());
    this.file = file;
  }

  /**
   * Maps a file, after looking whether it is the one that was promised.
   *
   * @param file closed by this method, or with the mapping
   * @param keepFile whether pieces are to be mapped anew: {@link #mapAnew}
   * @throws PagetideException if it is another file, or cannot be mapped
   */
  static MappedFile map(FileDescriptor file, Opened opened, boolean keepFile) {
    boolean kept = false;
    try (FileChannel channel = open(file)) {
      SharedFileLayout layout = check(channel, opened);
      Arena arena = Arena.ofShared();
      try {
        MemorySegment mapping =
            channel.map(FileChannel.MapMode.READ_WRITE, 0, layout.sizeBytes(), arena);
        MappedFile mapped = new MappedFile(layout, arena, mapping, keepFile ? file : null);
        kept = keepFile;
        return mapped;
      } catch (IOException | RuntimeException e) {
        arena.close();
        throw e;
      }
    } catch (IOException | IllegalArgumentException e) {
      throw PagetideException.local(
          Status.Code.UNAVAILABLE,
          "the file that was handed over cannot be mapped: " + e.getMessage(),
          e);
    } finally {
      if (!kept) {
        Handoff.closeQuietly(file);
      }
    }
  }

  /** A descriptor of our own is opened again by its number: that needs no native call of ours. */
  private static FileChannel open(FileDescriptor file) throws IOException {
    return FileChannel.open(
        Path.of("/proc/self/fd/" + file.intValue()),
        StandardOpenOption.READ,
        StandardOpenOption.WRITE);
  }

  private static SharedFileLayout check(FileChannel channel, Opened opened) throws IOException {
    SharedFileLayout layout = SharedFileLayout.of(opened.getPageSize(), opened.getPageCount());
    if (channel.size() != layout.sizeBytes()) {
      throw new IOException(
          "it has " + channel.size() + " bytes, and should have " + layout.sizeBytes());
    }
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
    return layout;
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
   * with {@code lifetime}. Only where the file was kept.
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
        interrupted |= Thread.interrupted(); // it would close the channel, and nothing here waits
        try (FileChannel channel = open(kept)) {
          return channel.map(mode, layout.dataOffset() + offset, length, lifetime);
        } catch (ClosedByInterruptException e) {
          interrupted = true;
        }
      }
    } catch (IOException e) {
      throw PagetideException.local(
          Status.Code.RESOURCE_EXHAUSTED,
          "the host refuses to map these pages once more: " + e.getMessage(),
          e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Whether {@link #mapAnew} works. */
  boolean keepsFile() {
    return file != null;
  }

  /**
   * Keeps the file mapped beyond {@link #close}, until {@link #letGo}.
   *
   * @return whether it is mapped still; else there is nothing to let go of
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
   * Unmaps the file. Idempotent. An access that is under way elsewhere fails; where one cannot (a
   * read or write of a channel on the mapped bytes, or borrowed bytes), the file is unmapped as
   * soon as it has ended.
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

  /** Whether it was not closed yet, or is accessed still. */
  boolean isMapped() {
    return arena.scope().isAlive();
  }
}
