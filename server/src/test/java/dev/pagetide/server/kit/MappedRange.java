package dev.pagetide.server.kit;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;

/** A running server's range as a client sees it that has mapped all of its file. */
public final class MappedRange implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final MemorySegment file;
  private final SharedFileLayout layout;

  /** Maps the file of a range through the descriptor that the server holds. */
  public MappedRange(TestServer server, long rangeId) throws IOException {
    this(server.process().pid(), rangeId);
  }

  /** Maps the file of a range through the descriptor that a process holds. */
  public MappedRange(long pid, long rangeId) throws IOException {
    Path descriptors = Path.of("/proc/" + pid + "/fd");
    String name = "/memfd:pagetide-range-" + rangeId + " (deleted)";
    try (Stream<Path> all = Files.list(descriptors)) {
      Path descriptor = all.filter(path -> name.equals(target(path))).findFirst().orElseThrow();
      try (FileChannel channel =
          FileChannel.open(descriptor, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        this.file = channel.map(FileChannel.MapMode.READ_WRITE, 0, channel.size(), arena);
      }
    }
    this.layout = header().layout();
  }

  private static String target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (IOException e) {
      return ""; // closed since it was listed
    }
  }

  public SharedFileHeader header() {
    return new SharedFileHeader(file);
  }

  public PageTable table() {
    return new PageTable(
        file.asSlice(layout.tableOffset(), (long) layout.pageCount() * Long.BYTES));
  }

  /** Writes into every byte of a page, whoever may use it. */
  public void scribble(int page) {
    file.asSlice(layout.pageOffset(page), layout.pageSize()).fill((byte) 9);
  }

  @Override
  public void close() {
    arena.close();
  }
}
