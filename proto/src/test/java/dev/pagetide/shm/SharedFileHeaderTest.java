package dev.pagetide.shm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** The header's bytes, at the offsets that other languages read. */
final class SharedFileHeaderTest {
  private static final SharedFileLayout LAYOUT = SharedFileLayout.of(4096, 1024);

  private final MemorySegment page = Arena.ofAuto().allocate(4096, 8);
  private final SharedFileHeader header = new SharedFileHeader(page);

  @Test
  void writeOnce_newFile_putsEachFieldAtItsOffset() {
    header.writeOnce(LAYOUT, 77, 0x1234_5678_9ABC_DEF0L);

    assertThat(page.asSlice(0, 8).toArray(ValueLayout.JAVA_BYTE))
        .isEqualTo("PAGETIDE".getBytes(StandardCharsets.US_ASCII));
    assertThat(page.get(ValueLayout.JAVA_INT, 8)).isEqualTo(1);
    assertThat(page.get(ValueLayout.JAVA_INT, 12)).isEqualTo(4096);
    assertThat(page.get(ValueLayout.JAVA_INT, 16)).isEqualTo(1024);
    assertThat(page.get(ValueLayout.JAVA_INT, 20)).isZero();
    assertThat(page.get(ValueLayout.JAVA_LONG, 24)).isEqualTo(4096);
    assertThat(page.get(ValueLayout.JAVA_LONG, 32)).isEqualTo(12288);
    assertThat(page.get(ValueLayout.JAVA_LONG, 40)).isEqualTo(77);
    assertThat(page.get(ValueLayout.JAVA_LONG, 48)).isEqualTo(0x1234_5678_9ABC_DEF0L);
    assertThat(page.get(ValueLayout.JAVA_INT, 64)).isEqualTo(SharedFileHeader.OPEN);
  }

  @Test
  void writeOnce_newFile_leavesTheClientsCountersAndTheRestAlone() {
    page.fill((byte) 0x5A);

    header.writeOnce(LAYOUT, 1, 2);

    assertThat(page.asSlice(128).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x5A);
    assertThat(page.asSlice(68, 60).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x5A);
  }

  @Test
  void accessors_writtenHeader_readItBack() {
    header.writeOnce(LAYOUT, 77, 5);

    assertThat(header.magic()).isEqualTo(SharedFileHeader.MAGIC);
    assertThat(header.versionAcquire()).isEqualTo(SharedFileLayout.VERSION);
    assertThat(header.layout()).isEqualTo(LAYOUT);
    assertThat(header.rangeId()).isEqualTo(77);
    assertThat(header.serverInstance()).isEqualTo(5);
    assertThat(header.stateAcquire()).isEqualTo(SharedFileHeader.OPEN);
  }

  @Test
  void versionAcquire_nothingWritten_isZero() {
    assertThat(header.versionAcquire()).isZero();
    assertThat(header.stateAcquire()).isNotIn(SharedFileHeader.OPEN, SharedFileHeader.CLOSED);
  }

  @Test
  void layout_numbersThatAreNone_isRefused() {
    header.writeOnce(LAYOUT, 1, 1);
    page.set(ValueLayout.JAVA_LONG, 32, 1L << 40);

    assertThatThrownBy(header::layout).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void closeRelease_openFile_changesTheStateAlone() {
    header.writeOnce(LAYOUT, 77, 5);
    byte[] before = page.toArray(ValueLayout.JAVA_BYTE);

    header.closeRelease();

    assertThat(header.stateAcquire()).isEqualTo(SharedFileHeader.CLOSED);
    before[64] = SharedFileHeader.CLOSED;
    assertThat(page.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
  }

  @Test
  void new_segmentTooShort_isRefused() {
    MemorySegment tooShort = page.asSlice(0, SharedFileHeader.SIZE_BYTES - 1);

    assertThatThrownBy(() -> new SharedFileHeader(tooShort))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
