package dev.pagetide.server.page;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The data of this process's ranges, mapped as a client maps what it was handed. */
final class ClientMappings {
  private static final Pattern FILE = Pattern.compile("/memfd:pagetide-range-(\\d+)");
  private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

  private ClientMappings() {}

  /** The data of every range that is open in this process, for as long as the process lives. */
  static List<MemorySegment> ofAllRanges() throws IOException {
    return ofRanges(0, Long.MAX_VALUE);
  }

  /** As above, of those ranges alone with an id of at least one number and below another. */
  static List<MemorySegment> ofRanges(long firstId, long endId) throws IOException {
    List<MemorySegment> mappings = new ArrayList<>();
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(DESCRIPTORS)) {
      for (Path descriptor : descriptors) {
        long id = rangeId(descriptor);
        if (id >= firstId && id < endId) {
          mappings.add(map(descriptor));
        }
      }
    }
    return mappings;
  }

  /** The id of the range whose file it is, or -1. */
  private static long rangeId(Path descriptor) throws IOException {
    try {
      Matcher name = FILE.matcher(Files.readSymbolicLink(descriptor).toString());
      return name.lookingAt() ? Long.parseLong(name.group(1)) : -1;
    } catch (NoSuchFileException e) {
      return -1; // the listing's own
    }
  }

  private static MemorySegment map(Path descriptor) throws IOException {
    try (FileChannel channel =
        FileChannel.open(descriptor, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MemorySegment file = channel.map(MapMode.READ_WRITE, 0, channel.size(), Arena.global());
      long pageSize = PageFileMaker.MEMFD.pageSize();
      long pages = file.byteSize() / pageSize;
      // header, table, data: the table of 1024 pages takes two pages
      long tablePages = (pages * Long.BYTES + pageSize - 1) / pageSize;
      return file.asSlice((1 + tablePages) * pageSize);
    }
  }
}
