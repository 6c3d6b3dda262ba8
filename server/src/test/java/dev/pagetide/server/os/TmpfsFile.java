package dev.pagetide.server.os;

import dev.pagetide.shm.SharedFileLayout;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A shared file that has a name, on a file system that can be full: the same kernel code as a
 * memfd's, but it refuses with ENOSPC where a memfd would meet the OOM killer.
 */
public final class TmpfsFile implements PageFile {
  private final SharedFileLayout layout;
  private final RandomAccessFile file;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment mapping;
  private final int fd;

  /**
   * Makes a file; header and table have memory.
   *
   * @param path where; on a tmpfs
   */
  public TmpfsFile(Path path, SharedFileLayout layout) throws SystemCallException {
    this.layout = layout;
    try {
      this.file = new RandomAccessFile(path.toFile(), "rw");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    try {
      this.fd = descriptor(path);
      Libc.ftruncate(fd, layout.sizeBytes());
      Libc.fallocate(fd, 0, 0, layout.dataOffset());
      this.mapping =
          file.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, layout.dataOffset(), arena);
    } catch (IOException e) {
      closeBecause(e);
      if (e instanceof SystemCallException refused) {
        throw refused;
      }
      throw new UncheckedIOException(e);
    }
  }

  private void closeBecause(IOException because) {
    try {
      file.close();
    } catch (IOException e) {
      because.addSuppressed(e);
    }
  }

  private static int descriptor(Path path) throws IOException {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors
          .filter(descriptor -> leadsTo(descriptor, path))
          .mapToInt(descriptor -> Integer.parseInt(descriptor.getFileName().toString()))
          .findFirst()
          .orElseThrow();
    }
  }

  private static boolean leadsTo(Path descriptor, Path path) {
    try {
      return Files.readSymbolicLink(descriptor).equals(path);
    } catch (IOException e) {
      return false; // the listing's own descriptor, closed by now
    }
  }

  @Override
  public SharedFileLayout layout() {
    return layout;
  }

  @Override
  public MemorySegment header() {
    return mapping.asSlice(0, layout.pageSize());
  }

  @Override
  public MemorySegment table() {
    return mapping.asSlice(layout.tableOffset(), (long) layout.pageCount() * Long.BYTES);
  }

  @Override
  public void allocate(int startPage, int endPage) throws SystemCallException {
    Libc.fallocate(fd, 0, layout.pageOffset(startPage), bytes(startPage, endPage));
  }

  @Override
  public void punch(int startPage, int endPage) throws SystemCallException {
    Libc.fallocate(
        fd,
        Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE,
        layout.pageOffset(startPage),
        bytes(startPage, endPage));
  }

  private long bytes(int startPage, int endPage) {
    return (long) (endPage - startPage) * layout.pageSize();
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    try {
      while (target.hasRemaining()) {
        int read = file.getChannel().read(target, layout.dataOffset() + offset);
        if (read < 0) {
          throw new AssertionError("the file ended");
        }
        offset += read;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) {
    try {
      while (source.hasRemaining()) {
        offset += file.getChannel().write(source, layout.dataOffset() + offset);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void writeZeros(long offset, long length) {
    write(offset, ByteBuffer.allocate(Math.toIntExact(length)));
  }

  @Override
  public long residentPages() throws SystemCallException {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment stat = scratch.allocate(Libc.STAT_BYTES, Long.BYTES);
      Libc.fstat(fd, stat);
      return stat.get(ValueLayout.JAVA_LONG, Libc.ST_BLOCKS_OFFSET) * 512 / layout.pageSize();
    }
  }

  @Override
  public FileDuplicate duplicate() throws SystemCallException {
    return FileDuplicate.of(fd);
  }

  @Override
  public void close(boolean punch) {
    arena.close();
    try {
      file.setLength(0);
      file.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
