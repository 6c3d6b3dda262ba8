package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.TmpfsFile;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.Requires;
import dev.pagetide.testkit.Tmpfs;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Allocations with a kernel that really refuses: files on a tmpfs of 64 pages, which only root can
 * mount. (RLIMIT_FSIZE does not reach an allocation inside a file's size, and at a memory limit the
 * OOM killer runs.)
 */
@Promise(30)
@Tag(Requires.TAG)
final class KernelRefusalTest {
  private static final int ROOM_PAGES = 64;

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  private @Nullable Tmpfs mounted;

  @BeforeEach
  void mount() throws IOException {
    String size = "size=" + (long) ROOM_PAGES * Memfd.systemPageSize();
    mounted = Tmpfs.mount(directory, size + ",huge=never", size);
  }

  @AfterEach
  void unmount() throws IOException {
    if (mounted != null) {
      mounted.close();
    }
  }

  private TestRanges ranges() {
    return new TestRanges(
        TestRanges.UNLIMITED_PAGES,
        PageClock.MONOTONIC,
        (name, layout) -> new TmpfsFile(directory.resolve(name), layout));
  }

  @Test
  void useRange_fileSystemFull_changesNoWordAndLeavesNothingUnaccounted() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange a = ranges.open(100);
      ShrinkablePageRange b = ranges.open(100);
      a.useRange(10, 40);
      Pages.fill(a, 10, 40, 7);
      a.stopUsingRange(30, 40);
      b.useRange(50, 60);
      b.stopUsingRange(55, 56);
      long charged = ranges.budget.chargedPages();
      String map = TestRanges.map(b);
      long stopped = b.table().wordAcquire(55);

      // The first run [0, 50) exceeds the room; then one whose first runs fit, and whose last not.
      assertThatThrownBy(() -> b.useRange(0, 100))
          .isInstanceOf(PageFailure.NoMemory.class)
          .hasMessageContaining("ENOSPC");
      assertThatThrownBy(
              () -> b.useRange(b.spans().add(0, 5).add(10, 15).add(54, 58).add(62, 100).build()))
          .isInstanceOf(PageFailure.NoMemory.class)
          .hasMessageContaining("ENOSPC");

      assertThat(TestRanges.map(b)).isEqualTo(map);
      assertThat(b.table().wordAcquire(55)).isEqualTo(stopped);
      assertThat(b.table().wordAcquire(0)).isZero();
      assertThat(ranges.budget.chargedPages()).isEqualTo(charged);
      assertThat(ranges.shrinker.counters().allocated()).isEqualTo(40);
      ranges.checkInvariants();

      assertThat(ranges.shrinker.scan(10).reclaimed()).isEqualTo(10);
      assertThat(b.useRange(0, 10)).isEqualTo(PageSpans.of(0, 10));
      assertThat(Pages.bytes(a, 10, 30)).containsOnly(7);
      ranges.checkInvariants();
    }
  }

  @Test
  void useRange_fileSystemFullOfStrays_takesThemAndSucceeds() throws IOException {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange a = ranges.open(100);
      ShrinkablePageRange b = ranges.open(100);
      a.useRange(0, 5);
      touch(a, 10, 10 + (ROOM_PAGES - 2 * 2 - 5)); // all the room that is left

      assertThat(b.useRange(0, 20)).isEqualTo(PageSpans.of(0, 20));
      assertThat(a.strays()).isEqualTo(ROOM_PAGES - 2 * 2 - 5);
      ranges.checkInvariants();
    }
  }

  @Test
  void register_fileSystemFullOfStrays_takesThemAndSucceeds() throws IOException {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange a = ranges.open(100);
      touch(a, 10, 10 + (ROOM_PAGES - 2)); // all the room that is left

      assertThat(ranges.open(100).pageCount()).isEqualTo(100);

      assertThat(a.strays()).isEqualTo(ROOM_PAGES - 2);
      ranges.checkInvariants();
    }
  }

  /** Writes to pages behind the server's back, as a client does. */
  private void touch(ShrinkablePageRange range, int startPage, int endPage) throws IOException {
    Path file = directory.resolve("pagetide-range-" + range.id());
    long offset = range.file().layout().pageOffset(startPage);
    int length = (endPage - startPage) * range.pageSize();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      assertThat(channel.write(ByteBuffer.allocate(length), offset)).isEqualTo(length);
    }
  }

  @Test
  void register_fileSystemFull_leavesNothing() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange a = ranges.open(100);
      a.useRange(0, ROOM_PAGES - 3);
      long charged = ranges.budget.chargedPages();

      assertThatThrownBy(() -> ranges.open(100))
          .isInstanceOf(PageFailure.NoMemory.class)
          .hasMessageContaining("ENOSPC");

      assertThat(ranges.budget.chargedPages()).isEqualTo(charged);
      ranges.checkInvariants();
    }
  }
}
