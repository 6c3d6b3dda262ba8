package dev.pagetide.server.page;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A range's file as a client sees it: mapped whole, read-write, through a descriptor. */
final class ClientView implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final MemorySegment file;
  private final SharedFileLayout layout;
  private final Path descriptor;

  ClientView(ShrinkablePageRange range) {
    this.layout = range.file().layout();
    this.descriptor = descriptor(range);
    try (FileChannel channel =
        FileChannel.open(descriptor, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      this.file = channel.map(FileChannel.MapMode.READ_WRITE, 0, layout.sizeBytes(), arena);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The range's descriptor in this process, by the name of its memfd. */
  static Path descriptor(ShrinkablePageRange range) {
    String name = "/memfd:pagetide-range-" + range.id() + " (deleted)";
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors.filter(path -> name.equals(target(path))).findFirst().orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** How many memfds of ranges this process holds open. */
  static long openRangeFiles() {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors.filter(path -> target(path).startsWith("/memfd:pagetide-range-")).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (IOException e) {
      return ""; // the listing's own descriptor, closed by now
    }
  }

  PageTable table() {
    return new PageTable(
        file.asSlice(layout.tableOffset(), (long) layout.pageCount() * Long.BYTES));
  }

  /** Writes a byte into each of a page's words, as a client with a mapping can at any time. */
  void scribble(int page, int value) {
    file.asSlice(layout.pageOffset(page), layout.pageSize()).fill((byte) value);
  }

  /**
   * Gives pages memory, so that neither SEEK_DATA nor mincore shows it, or does what the options
   * say: the command {@code fallocate}, a second process that opens the file.
   */
  void fallocate(int startPage, int endPage, String... options) {
    long offset = layout.pageOffset(startPage);
    List<String> command =
        new ArrayList<>(
            List.of(
                "fallocate",
                "--offset=" + offset,
                "--length=" + (layout.pageOffset(endPage) - offset)));
    command.addAll(List.of(options));
    command.add(
        descriptor.toString().replace("self", Long.toString(ProcessHandle.current().pid())));
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new AssertionError(command + ": " + said);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new AssertionError("interrupted", e);
    }
  }

  SharedFileHeader header() {
    return new SharedFileHeader(file);
  }

  /** The first bytes of a page. */
  long getLong(int page) {
    return file.get(ValueLayout.JAVA_LONG, layout.pageOffset(page));
  }

  /** Writes the first bytes of a page. */
  void setLong(int page, long value) {
    file.set(ValueLayout.JAVA_LONG, layout.pageOffset(page), value);
  }

  byte get(int page, int offset) {
    return file.get(ValueLayout.JAVA_BYTE, layout.pageOffset(page) + offset);
  }

  /** Sets a word, whatever it was. */
  static void forceWord(PageTable table, int page, long word) {
    long before;
    do {
      before = table.wordAcquire(page);
    } while (!table.casWord(page, before, word));
  }

  @Override
  public void close() {
    arena.close();
  }
}
