package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.Opened;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What is mapped: the file that was promised, of the size that was promised, and never another one
 * that has got its descriptor's number.
 */
final class MappedFileTest {

  private static final int PAGES = 4;
  private static final SharedFileLayout LAYOUT = SharedFileLayout.of(4096, PAGES);
  private static final Opened OPENED =
      Opened.newBuilder()
          .setSession("secret")
          .setRangeId(7)
          .setPageSize(4096)
          .setPageCount(PAGES)
          .setServerInstance(99)
          .build();

  @TempDir Path folder = Path.of("");

  private final Arena arena = Arena.ofShared();

  @SuppressWarnings("NullAway.Init") // made before each test
  private Path file;

  @SuppressWarnings("NullAway.Init") // opened before each test
  private FileDescriptor descriptor;

  @BeforeEach
  void makeFile() throws IOException {
    Epoll.ensureAvailability(); // loads what the descriptor is opened by
    file = folder.resolve("range");
    descriptor = FileDescriptor.from(file.toString());
    try (FileChannel channel =
            FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
        Arena writing = Arena.ofConfined()) {
      new SharedFileHeader(channel.map(MapMode.READ_WRITE, 0, LAYOUT.sizeBytes(), writing))
          .writeOnce(LAYOUT, 7, 99);
    }
  }

  @AfterEach
  void close() {
    arena.close();
  }

  static Stream<MapMode> modes() {
    return Stream.of(MapMode.READ_ONLY, MapMode.READ_WRITE);
  }

  /** Makes a descriptor's number another file's, as dup2(2) does. */
  @SuppressWarnings("restricted") // SAFETY: int dup2(int oldfd, int newfd)
  private static void giveNumber(FileDescriptor number, FileDescriptor to) {
    Linker linker = Linker.nativeLinker();
    MethodHandle dup2 =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("dup2"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    int result;
    try {
      result = (int) dup2.invokeExact(to.intValue(), number.intValue());
    } catch (Throwable e) {
      throw new AssertionError("dup2(2) cannot be called", e);
    }
    assertThat(result).isEqualTo(number.intValue());
  }

  @ParameterizedTest
  @MethodSource("modes")
  void mapAnew_numberIsAnotherFiles_isRefusedAndTouchesItNot(MapMode mode) throws IOException {
    MappedFile mapped = MappedFile.map(descriptor, OPENED, true);
    Path foreign = folder.resolve("foreign");
    FileDescriptor other = FileDescriptor.from(foreign.toString());
    Files.writeString(foreign, "8 bytes.");
    giveNumber(descriptor, other);

    assertThatThrownBy(() -> mapped.mapAnew(0, 4096, mode, arena))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("bytes");

    assertThat(foreign).hasContent("8 bytes.");
    mapped.close();
    other.close();
  }

  /** Of the same size, so that only what file it is tells the two apart. */
  @ParameterizedTest
  @MethodSource("modes")
  void mapAnew_numberIsAFileOfTheSameSize_isRefused(MapMode mode) throws IOException {
    MappedFile mapped = MappedFile.map(descriptor, OPENED, true);
    Path foreign = folder.resolve("foreign");
    FileDescriptor other = FileDescriptor.from(foreign.toString());
    Files.write(foreign, new byte[(int) LAYOUT.sizeBytes()]);
    giveNumber(descriptor, other);

    assertThatThrownBy(() -> mapped.mapAnew(0, 4096, mode, arena))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("belongs to another file now");

    mapped.close();
    other.close();
  }

  @ParameterizedTest
  @MethodSource("modes")
  void mapAnew_fileHasBecomeShorter_isRefusedAndDoesNotExtendIt(MapMode mode) throws IOException {
    MappedFile mapped = MappedFile.map(descriptor, OPENED, true);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(8192);
    }

    assertThatThrownBy(() -> mapped.mapAnew(8192, 4096, mode, arena))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("it has 8192 bytes");

    assertThat(file).hasSize(8192);
    mapped.close();
  }

  @ParameterizedTest
  @MethodSource("modes")
  void mapAnew_ownFile_seesTheSameBytes(MapMode mode) {
    MappedFile mapped = MappedFile.map(descriptor, OPENED, true);
    mapped.data().set(ValueLayout.JAVA_BYTE, 5000, (byte) 9);

    MemorySegment piece = mapped.mapAnew(4096, 4096, mode, arena);

    assertThat(piece.get(ValueLayout.JAVA_BYTE, 5000 - 4096)).isEqualTo((byte) 9);
    assertThat(piece.isReadOnly()).isEqualTo(mode.equals(MapMode.READ_ONLY));
    mapped.close();
  }

  @Test
  void map_noRegularFile_isRefusedWithoutOpeningIt() {
    FileDescriptor[] pipe = pipe();

    assertThatThrownBy(() -> MappedFile.map(pipe[0], OPENED, true))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("it is no regular file");

    assertThat(pipe[0].isOpen()).isFalse();
    Handoff.closeQuietly(pipe[1]);
    Handoff.closeQuietly(descriptor);
  }

  private static FileDescriptor[] pipe() {
    try {
      return FileDescriptor.pipe();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void map_shorterThanPromised_isRefusedAndDoesNotExtendIt() throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(LAYOUT.sizeBytes() - 4096);
    }

    assertThatThrownBy(() -> MappedFile.map(descriptor, OPENED, true))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("should have " + LAYOUT.sizeBytes());

    assertThat(file).hasSize(LAYOUT.sizeBytes() - 4096);
    assertThat(descriptor.isOpen()).isFalse();
  }
}
