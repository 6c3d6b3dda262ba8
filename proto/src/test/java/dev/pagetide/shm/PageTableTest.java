package dev.pagetide.shm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** The page table's two accesses: what they change, and what they refuse. */
final class PageTableTest {
  @Test
  void casWord_exactWord_replacesThatWordAlone() {
    PageTable table = new PageTable(Arena.ofAuto().allocate(3 * 8, 8));

    assertThat(table.casWord(1, 0, PageWord.available(9))).isTrue();

    assertThat(table.wordAcquire(0)).isZero();
    assertThat(table.wordAcquire(1)).isEqualTo(PageWord.available(9));
    assertThat(table.wordAcquire(2)).isZero();
  }

  @Test
  void casWord_sameStateOtherStamp_changesNothing() {
    PageTable table = new PageTable(Arena.ofAuto().allocate(8, 8));
    assertThat(table.casWord(0, 0, PageWord.available(9))).isTrue();

    assertThat(table.casWord(0, PageWord.available(8), PageWord.USED_WORD)).isFalse();

    assertThat(table.wordAcquire(0)).isEqualTo(PageWord.available(9));
  }

  @Test
  void wordAcquire_tableOfZeros_isFree() {
    PageTable table = new PageTable(Arena.ofAuto().allocate(8, 8));

    assertThat(table.pageCount()).isEqualTo(1);
    assertThat(PageWord.state(table.wordAcquire(0))).isEqualTo(PageWord.FREE);
  }

  @Test
  void inStateOpaque_eachState_areThePagesOfTheSpanThatSayIt() {
    PageTable table = new PageTable(Arena.ofAuto().allocate(70 * 8, 8));
    assertThat(table.casWord(3, 0, PageWord.available(9))).isTrue();
    assertThat(table.casWord(5, 0, PageWord.USED_WORD)).isTrue();
    assertThat(table.casWord(66, 0, PageWord.available(1))).isTrue();
    assertThat(table.casWord(69, 0, 3)).isTrue();

    assertThat(table.inStateOpaque(PageWord.AVAILABLE, 0, 64)).isEqualTo(1L << 3);
    assertThat(table.inStateOpaque(PageWord.USED, 0, 64)).isEqualTo(1L << 5);
    assertThat(table.inStateOpaque(PageWord.FREE, 0, 64)).isEqualTo(~(1L << 3 | 1L << 5));
    assertThat(table.inStateOpaque(PageWord.AVAILABLE, 64, 70)).isEqualTo(1L << 2);
    assertThat(table.inStateOpaque(PageWord.AVAILABLE, 67, 70)).isZero();
    assertThat(table.inStateOpaque(3, 64, 70)).isEqualTo(1L << 5);
  }

  @Test
  void casWord_page_isAtEightBytesAPage() {
    MemorySegment words = Arena.ofAuto().allocate(4 * 8, 8);

    assertThat(new PageTable(words).casWord(3, 0, -1L)).isTrue();

    assertThat(words.get(ValueLayout.JAVA_LONG, 24)).isEqualTo(-1L);
  }

  @Test
  void accesses_pageOutsideTheTable_areRefused() {
    PageTable table = new PageTable(Arena.ofAuto().allocate(2 * 8, 8));

    assertThatThrownBy(() -> table.wordAcquire(2)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> table.wordAcquire(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> table.casWord(2, 0, 1)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void accesses_mappingClosed_areRefused() {
    Arena arena = Arena.ofShared();
    PageTable table = new PageTable(arena.allocate(8, 8));
    arena.close();

    assertThatThrownBy(() -> table.wordAcquire(0)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> table.casWord(0, 0, 1)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void new_halfAWord_isRefused() {
    MemorySegment segment = Arena.ofAuto().allocate(12, 8);

    assertThatThrownBy(() -> new PageTable(segment))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("12 bytes");
  }
}
