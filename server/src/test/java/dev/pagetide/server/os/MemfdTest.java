package dev.pagetide.server.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.SharedFileLayout;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The shared file on the real kernel: seals, memory by pages, copies, errors, and its end. */
final class MemfdTest {
  private static final int PAGE = Memfd.systemPageSize();
  private static final int PAGES = 64;
  private static final int CHUNK = 64 * 1024;
  private static final SharedFileLayout LAYOUT = SharedFileLayout.of(PAGE, PAGES);
  private static final String NAME = "pagetide-memfd-test";

  @SuppressWarnings("NullAway.Init") // before each test
  private Memfd file;

  @BeforeEach
  void create() throws IOException {
    file = Memfd.create(NAME, LAYOUT);
  }

  @AfterEach
  void close() {
    if (openDescriptors() > 0) {
      file.close(true);
    }
  }

  private static long openDescriptors() {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors.filter(MemfdTest::isOurs).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isOurs(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString().contains(NAME);
    } catch (IOException e) {
      return false; // the listing's own descriptor, closed by now
    }
  }

  private static long mappings() throws IOException {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(line -> line.contains(NAME)).count();
    }
  }

  private Path path() {
    return Path.of("/proc/self/fd/" + file.descriptor());
  }

  /** The kernel's own count, through another door than the code under test. */
  private long blocksAsPages() throws IOException {
    Process stat =
        new ProcessBuilder(
                "stat", "-L", "-c", "%b %B", "/proc/" + pid() + "/fd/" + file.descriptor())
            .redirectErrorStream(true)
            .start();
    String[] answer =
        new String(stat.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)
            .trim()
            .split(" ", -1);
    return Long.parseLong(answer[0]) * Long.parseLong(answer[1]) / PAGE;
  }

  private static long pid() {
    return ProcessHandle.current().pid();
  }

  @Test
  void create_newFile_holdsHeaderAndTableAlone() throws IOException {
    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages());
    assertThat(blocksAsPages()).isEqualTo(LAYOUT.bookkeepingPages());
    assertThat(Files.size(path())).isEqualTo(LAYOUT.sizeBytes());
    assertThat(file.table().byteSize()).isEqualTo(8L * PAGES);
    assertThat(file.table().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertThat(file.header().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
  }

  @Test
  void seals_fileReopenedByAHolder_refuseEveryChangeOfSize() throws IOException {
    try (FileChannel holder =
        FileChannel.open(path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      assertThatThrownBy(() -> holder.truncate(PAGE))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("Operation not permitted");
      assertThatThrownBy(() -> holder.write(ByteBuffer.allocate(1), LAYOUT.sizeBytes()))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("Operation not permitted");
    }
    assertThat(Files.size(path())).isEqualTo(LAYOUT.sizeBytes());
    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages());
  }

  @Test
  void seals_ftruncateEitherWay_areRefusedWithEperm() {
    for (long length : new long[] {0, LAYOUT.sizeBytes() - PAGE, LAYOUT.sizeBytes() + 1}) {
      assertThatThrownBy(() -> Libc.ftruncate(file.descriptor(), length))
          .isInstanceOf(SystemCallException.class)
          .hasMessage("ftruncate(%d, %d): EPERM", file.descriptor(), length);
    }
  }

  @Test
  void seals_fallocatePastTheEnd_isRefusedAndGivesNoMemory() throws IOException {
    assertThatThrownBy(() -> Libc.fallocate(file.descriptor(), 0, LAYOUT.sizeBytes(), PAGE))
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("EPERM");

    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages());
  }

  @Test
  void seals_anotherSeal_isRefused() {
    assertThatThrownBy(() -> Libc.fcntl(file.descriptor(), Libc.F_ADD_SEALS, 0x8))
        .isInstanceOfSatisfying(
            SystemCallException.class,
            e -> {
              assertThat(e.errnoName()).isEqualTo("EPERM");
              assertThat(e.errno()).isEqualTo(1);
              assertThat(e.call()).isEqualTo("fcntl(%d, 1033, 0x8)", file.descriptor());
            });
  }

  @Test
  void allocate_run_givesExactlyItsPagesZeroed() throws IOException {
    file.allocate(3, 10);

    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages() + 7);
    assertThat(blocksAsPages()).isEqualTo(LAYOUT.bookkeepingPages() + 7);
    assertThat(read(0, PAGES * PAGE)).containsOnly(0);
  }

  @Test
  void allocate_pagesThatHoldBytes_keepsThem() throws IOException {
    file.allocate(0, 2);
    file.write(0, ByteBuffer.wrap(new byte[] {1, 2, 3}));

    file.allocate(0, 4);

    assertThat(read(0, 3)).containsExactly(1, 2, 3);
    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages() + 4);
  }

  @Test
  void punch_run_takesExactlyItsPages() throws IOException {
    file.allocate(0, 8);
    file.write(0, ByteBuffer.wrap(filled(8 * PAGE, 7)));

    file.punch(2, 5);

    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages() + 5);
    assertThat(blocksAsPages()).isEqualTo(LAYOUT.bookkeepingPages() + 5);
    assertThat(read(2L * PAGE, 3 * PAGE)).containsOnly(0);
    assertThat(read(0, 2 * PAGE)).containsOnly(7);
    assertThat(read(5L * PAGE, 3 * PAGE)).containsOnly(7);
  }

  @Test
  void punch_pagesMappedElsewhere_readZerosThere() throws IOException {
    file.allocate(0, 2);
    file.write(0, ByteBuffer.wrap(filled(2 * PAGE, 7)));
    try (FileChannel channel =
        FileChannel.open(path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer mapped =
          channel.map(FileChannel.MapMode.READ_WRITE, LAYOUT.dataOffset(), 2L * PAGE);
      assertThat(mapped.get(0)).isEqualTo((byte) 7);

      file.punch(0, 1);

      assertThat(mapped.get(0)).isZero();
      assertThat(mapped.get(PAGE)).isEqualTo((byte) 7);
    }
  }

  @Test
  void spans_outsideTheFile_areRefusedBeforeAnyCall() throws IOException {
    assertThatThrownBy(() -> file.allocate(PAGES, PAGES + 1))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> file.punch(-1, 1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> file.allocate(2, 1)).isInstanceOf(IndexOutOfBoundsException.class);

    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1})
  void readAndWrite_lengthsAroundTheChunk_moveExactlyTheseBytes(int length) throws IOException {
    int offset = 13;
    file.write(0, ByteBuffer.wrap(filled(3 * CHUNK, 9)));
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);

    file.write(offset, ByteBuffer.wrap(bytes));

    assertThat(read(offset, length)).isEqualTo(bytes);
    assertThat(read(0, offset)).containsOnly(9);
    assertThat(read(offset + length, CHUNK / 2)).containsOnly(9);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 1})
  void writeZeros_lengthsAroundTheChunk_zeroExactlyTheseBytes(int length) throws IOException {
    int offset = 13;
    file.write(0, ByteBuffer.wrap(filled(3 * CHUNK, 9)));

    file.writeZeros(offset, length);

    assertThat(read(offset, length)).containsOnly(0);
    assertThat(read(0, offset)).containsOnly(9);
    assertThat(read(offset + length, CHUNK / 2)).containsOnly(9);
  }

  @Test
  void write_buffersOfEveryKind_startAtTheirPositionAndEndAtTheirLimit() throws IOException {
    ByteBuffer direct =
        ByteBuffer.allocateDirect(10).put(new byte[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    ByteBuffer readOnly =
        ByteBuffer.wrap(new byte[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).asReadOnlyBuffer();

    file.write(0, direct.position(2).limit(5));
    file.write(100, readOnly.position(4).limit(6));

    assertThat(read(0, 4)).containsExactly(2, 3, 4, 0);
    assertThat(read(100, 3)).containsExactly(4, 5, 0);
    assertThat(direct.hasRemaining()).isFalse();
    assertThat(readOnly.hasRemaining()).isFalse();
  }

  @Test
  void read_hole_givesZerosAndNoMemory() throws IOException {
    assertThat(read(0, PAGES * PAGE)).containsOnly(0);

    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages());
  }

  @Test
  void copies_pastTheEnd_areRefusedAndMoveNothing() throws IOException {
    ByteBuffer two = ByteBuffer.wrap(new byte[] {5, 5});

    assertThatThrownBy(() -> file.write(LAYOUT.dataBytes() - 1, two))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> file.read(LAYOUT.dataBytes() - 1, two))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> file.writeZeros(-1, 2)).isInstanceOf(IndexOutOfBoundsException.class);

    assertThat(two.remaining()).isEqualTo(2);
    assertThat(read(LAYOUT.dataBytes() - 1, 1)).containsExactly(0);
  }

  @Test
  void calls_descriptorThatIsNone_nameCallArgumentsAndErrno() {
    assertThatThrownBy(() -> Libc.fallocate(-1, 0, 4096, 8192))
        .isInstanceOfSatisfying(
            SystemCallException.class,
            e -> {
              assertThat(e).hasMessage("fallocate(-1, 0x0, 4096, 8192): EBADF");
              assertThat(e.call()).isEqualTo("fallocate(-1, 0x0, 4096, 8192)");
              assertThat(e.errno()).isEqualTo(9);
              assertThat(e.errnoName()).isEqualTo("EBADF");
            });
    assertThatThrownBy(() -> Libc.close(-1)).hasMessage("close(-1): EBADF");
    assertThatThrownBy(() -> Libc.pread(-1, file.table(), 8, 16))
        .hasMessage("pread(-1, 8 bytes, 16): EBADF");
    assertThatThrownBy(() -> Libc.memfd_create("x".repeat(300), 0)).hasMessageContaining("EINVAL");
  }

  @Test
  void errno_numberWithoutAName_isTheNumber() {
    assertThat(new SystemCallException("f()", 4711)).hasMessage("f(): errno 4711");
  }

  @Test
  void close_openFile_releasesDescriptorAndMapping() throws IOException {
    assertThat(openDescriptors()).isEqualTo(1);
    assertThat(mappings()).isEqualTo(1);

    file.close(true);

    assertThat(openDescriptors()).isZero();
    assertThat(mappings()).isZero();
    assertThatThrownBy(() -> file.table().get(ValueLayout.JAVA_LONG, 0))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> file.header().get(ValueLayout.JAVA_LONG, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void close_punching_takesTheMemoryFromOtherHoldersToo() throws IOException {
    file.allocate(0, 8);
    file.write(0, ByteBuffer.wrap(filled(8 * PAGE, 7)));
    try (FileChannel holder = FileChannel.open(path(), StandardOpenOption.READ)) {
      file.close(true);

      ByteBuffer bytes = ByteBuffer.allocate(8 * PAGE);
      assertThat(holder.read(bytes, LAYOUT.dataOffset())).isEqualTo(8 * PAGE);
      assertThat(bytes.array()).containsOnly(0);
    }
  }

  @Test
  void close_notPunching_leavesTheBytesToOtherHolders() throws IOException {
    file.allocate(0, 1);
    file.write(0, ByteBuffer.wrap(filled(PAGE, 7)));
    try (FileChannel holder = FileChannel.open(path(), StandardOpenOption.READ)) {
      file.close(false);

      ByteBuffer bytes = ByteBuffer.allocate(PAGE);
      assertThat(holder.read(bytes, LAYOUT.dataOffset())).isEqualTo(PAGE);
      assertThat(bytes.array()).containsOnly(7);
    }
    assertThat(openDescriptors()).isZero();
  }

  @Test
  void duplicate_fileClosedMeanwhile_staysThatFileUntilClosedItself() throws IOException {
    FileDuplicate duplicate = file.duplicate();
    Path path = Path.of("/proc/self/fd/" + duplicate.number());
    assertThat(duplicate.number()).isNotEqualTo(file.descriptor());
    assertThat(openDescriptors()).isEqualTo(2);

    file.close(true);

    assertThat(openDescriptors()).isEqualTo(1);
    assertThat(Files.readSymbolicLink(path).toString()).contains(NAME);
    assertThat(Files.readString(Path.of("/proc/self/fdinfo/" + duplicate.number())))
        .as("O_CLOEXEC")
        .containsPattern("flags:\\s+0*2\\d00000?2");
    duplicate.close();
    assertThat(openDescriptors()).isZero();
  }

  @Test
  void duplicate_flagsOfItsOpenFileChanged_leavesOursAlone() throws IOException {
    int setFlags = 4;
    int append = 0x400;
    file.allocate(0, 1);
    try (FileDuplicate duplicate = file.duplicate()) {
      Libc.fcntl(duplicate.number(), setFlags, Libc.O_RDWR | append);

      file.write(0, ByteBuffer.wrap(filled(PAGE, 7)));
    }

    assertThat(read(0, PAGE)).containsOnly(7);
    assertThat(file.residentPages()).isEqualTo(LAYOUT.bookkeepingPages() + 1);
  }

  @Test
  void duplicate_closedTwice_closesNobodyElsesNumber() throws IOException {
    FileDuplicate first = file.duplicate();
    first.close();
    try (FileDuplicate second = file.duplicate()) {
      assertThat(second.number()).as("the lowest free number").isEqualTo(first.number());

      first.close();

      assertThat(openDescriptors()).isEqualTo(2);
    }
    assertThat(openDescriptors()).isEqualTo(1);
  }

  private byte[] read(long offset, int length) throws IOException {
    ByteBuffer target = ByteBuffer.allocate(length);
    file.read(offset, target);
    assertThat(target.hasRemaining()).isFalse();
    return target.array();
  }

  private static byte[] filled(int length, int value) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }
}
