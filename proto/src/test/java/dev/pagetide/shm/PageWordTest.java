package dev.pagetide.shm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The bits of a page word, which other languages rely on. */
final class PageWordTest {
  @Test
  void available_anyStamp_keepsStateAndStampApart() {
    for (long stamp : new long[] {0, 1, 2, 3, 4, 1_000_000_007L, PageWord.MAX_STAMP}) {
      long word = PageWord.available(stamp);

      assertThat(PageWord.state(word)).isEqualTo(PageWord.AVAILABLE);
      assertThat(PageWord.stampNanos(word)).isEqualTo(stamp);
    }
  }

  @Test
  void free_anyStamp_keepsStateAndStampApart() {
    for (long stamp : new long[] {0, 1, 2, 3, 4, 1_000_000_007L, PageWord.MAX_STAMP}) {
      long word = PageWord.free(stamp);

      assertThat(PageWord.state(word)).isEqualTo(PageWord.FREE);
      assertThat(PageWord.stampNanos(word)).isEqualTo(stamp);
    }
  }

  @Test
  void available_stampAboveTheLargest_keepsItsLowBits() {
    assertThat(PageWord.available(PageWord.MAX_STAMP + 1)).isEqualTo(PageWord.available(0));
    assertThat(PageWord.state(PageWord.available(-1))).isEqualTo(PageWord.AVAILABLE);
  }

  @Test
  void words_ofTheContract_haveTheirNumbers() {
    assertThat(PageWord.available(1)).isEqualTo(0b101);
    assertThat(PageWord.free(1)).isEqualTo(0b100);
    assertThat(PageWord.USED_WORD).isEqualTo(2);
    assertThat(PageWord.MAX_STAMP).isEqualTo(0x3FFF_FFFF_FFFF_FFFFL);
  }

  @Test
  void state_zero_isFreeThatNeverHeldMemory() {
    assertThat(PageWord.state(0)).isEqualTo(PageWord.FREE);
    assertThat(PageWord.stampNanos(0)).isZero();
  }

  @Test
  void state_allLowBits_isThree() {
    assertThat(PageWord.state(-1L)).isEqualTo(3);
    assertThat(PageWord.stampNanos(-1L)).isEqualTo(PageWord.MAX_STAMP);
  }

  @Test
  void available_laterStamp_comparesAbove() {
    long[] stamps = {0, 1, 1L << 31, 1L << 32, 1L << 60, (1L << 61) + 1, PageWord.MAX_STAMP};
    for (int i = 1; i < stamps.length; i++) {
      assertThat(
              Long.compareUnsigned(
                  PageWord.available(stamps[i - 1]), PageWord.available(stamps[i])))
          .isNegative();
    }
  }

  @Test
  void pageStates_inOrder_haveTheWordsCodes() {
    assertThat(PageState.values())
        .containsExactly(PageState.FREE, PageState.AVAILABLE, PageState.USED);
    assertThat(new int[] {PageWord.FREE, PageWord.AVAILABLE, PageWord.USED})
        .containsExactly(0, 1, 2);
  }
}
