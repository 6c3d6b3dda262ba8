package dev.pagetide.server.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.testkit.Requires;
import dev.pagetide.testkit.Tmpfs;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Copies into pages for which the kernel has no memory: it sends SIGBUS. Here the file system of
 * the file is full; in earnest the host is at the limit of vm.overcommit_memory=2, or the memory is
 * broken.
 */
@Tag(Requires.TAG)
final class MemfdBusErrorTest {
  private static final int O_RDWR = 2;
  private static final int PAGE = Memfd.systemPageSize();
  private static final int PAGES = 64;
  private static final int FILE_SYSTEM_PAGES = 16;
  private static final int CALLS_UNTIL_COMPILED = 50_000;
  private static final int TOO_MANY_BYTES = 2 * FILE_SYSTEM_PAGES * PAGE;
  private static final SharedFileLayout LAYOUT = SharedFileLayout.of(PAGE, PAGES);

  @TempDir private Path folder;

  @SuppressWarnings("NullAway.Init") // before each test
  private Tmpfs full;

  @SuppressWarnings("NullAway.Init") // before each test
  private Memfd file;

  @BeforeEach
  void create() throws IOException {
    full = Tmpfs.mount(folder, "size=" + FILE_SYSTEM_PAGES * PAGE);
    Path path = Files.createFile(folder.resolve("file"));
    int fd = Libc.open(path.toString(), O_RDWR | Libc.O_CLOEXEC);
    Libc.ftruncate(fd, LAYOUT.sizeBytes());
    Libc.fallocate(fd, 0, 0, LAYOUT.dataOffset());
    file = Memfd.map(fd, LAYOUT);
  }

  @AfterEach
  void close() throws IOException {
    file.close(true);
    full.close();
  }

  @Test
  void write_noMemoryForAPage_isRefusedByTheKernel() {
    assertThatThrownBy(() -> file.write(0, ByteBuffer.allocate(TOO_MANY_BYTES)))
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("EFAULT");
  }

  @Test
  void writeZeros_noMemoryForAPage_isRefusedByTheKernel() {
    assertThatThrownBy(() -> file.writeZeros(0, TOO_MANY_BYTES))
        .isInstanceOf(SystemCallException.class);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void copyFrom_noMemoryForAPage_isRefusedByTheKernel(boolean kept) throws IOException {
    Memfd source = Memfd.create("pagetide-bus-error-source", LAYOUT);
    source.allocate(0, PAGES);

    assertThatThrownBy(() -> file.copyFrom(source, 0, 0, TOO_MANY_BYTES, kept))
        .isInstanceOf(SystemCallException.class);
    source.close(true);
  }

  @Test
  void write_ofOnePageByCompiledCode_isRefusedByTheKernelInThatWrite() throws IOException {
    file.allocate(0, 1);
    ByteBuffer few = ByteBuffer.allocate(64);
    for (int i = 0; i < CALLS_UNTIL_COMPILED; i++) {
      file.write(i % 1000, few.clear());
      file.writeZeros(i % 1000, 64);
    }
    file.allocate(1, FILE_SYSTEM_PAGES - LAYOUT.bookkeepingPages());

    for (int page = FILE_SYSTEM_PAGES; page < PAGES; page++) {
      long offset = (long) page * PAGE;
      assertThatThrownBy(() -> file.write(offset, few.clear()))
          .isInstanceOf(SystemCallException.class);
      assertThatThrownBy(() -> file.writeZeros(offset, 64)).isInstanceOf(SystemCallException.class);
    }
  }

  @Test
  void write_afterARefusal_isDoneWhereThereIsMemory() throws IOException {
    file.allocate(0, 1);
    assertThatThrownBy(() -> file.write(0, ByteBuffer.allocate(TOO_MANY_BYTES)))
        .isInstanceOf(SystemCallException.class);

    byte[] bytes = {1, 2, 3};
    file.write(7, ByteBuffer.wrap(bytes));

    ByteBuffer read = ByteBuffer.allocate(bytes.length);
    file.read(7, read);
    assertThat(read.array()).isEqualTo(bytes);
  }
}
