package dev.pagetide.server.kit;

import dev.pagetide.shm.SharedFileHeader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A shared file as its client has it: a descriptor, and all of it mapped. */
public final class FetchedFile implements AutoCloseable {
  private final int descriptor;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment mapping;

  public FetchedFile(int descriptor) throws IOException {
    this.descriptor = descriptor;
    Path path = Path.of("/proc/self/fd/" + descriptor);
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      mapping = channel.map(FileChannel.MapMode.READ_WRITE, 0, channel.size(), arena);
    }
  }

  public SharedFileHeader header() {
    return new SharedFileHeader(mapping);
  }

  public long sizeBytes() {
    return mapping.byteSize();
  }

  public byte byteAt(long offset) {
    return mapping.get(ValueLayout.JAVA_BYTE, offset);
  }

  /** Bytes of the pages, counted from page 0. */
  public String text(long offset, int length) {
    byte[] bytes =
        mapping
            .asSlice(header().layout().dataOffset() + offset, length)
            .toArray(ValueLayout.JAVA_BYTE);
    return new String(bytes, java.nio.charset.StandardCharsets.UTF_8);
  }

  @Override
  public void close() throws IOException {
    arena.close();
    RawHandoff.closeDescriptor(descriptor);
  }
}
