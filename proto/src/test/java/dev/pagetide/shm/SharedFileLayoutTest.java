package dev.pagetide.shm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where header, table and pages lie, for page sizes and counts at their edges. */
final class SharedFileLayoutTest {
  @ParameterizedTest
  @CsvSource({
    // page size, pages, table at, data at, bookkeeping pages
    "4096, 1, 4096, 8192, 2",
    "4096, 512, 4096, 8192, 2",
    "4096, 513, 4096, 12288, 3",
    "4096, 1024, 4096, 12288, 3",
    "65536, 1, 65536, 131072, 2",
    "65536, 8193, 65536, 196608, 3",
    "4096, 134217728, 4096, 1073745920, 262145",
  })
  void of_pagesAndSize_putsEachPartOnAPageOfItsOwn(
      int pageSize, int pageCount, long tableOffset, long dataOffset, int bookkeeping) {
    SharedFileLayout layout = SharedFileLayout.of(pageSize, pageCount);

    assertThat(layout.tableOffset()).isEqualTo(tableOffset);
    assertThat(layout.dataOffset()).isEqualTo(dataOffset);
    assertThat(layout.bookkeepingPages()).isEqualTo(bookkeeping);
    assertThat(layout.dataBytes()).isEqualTo((long) pageSize * pageCount);
    assertThat(layout.sizeBytes()).isEqualTo(dataOffset + (long) pageSize * pageCount);
    assertThat(layout.pageOffset(0)).isEqualTo(dataOffset);
    assertThat(layout.pageOffset(pageCount)).isEqualTo(layout.sizeBytes());
    assertThat(layout.dataOffset() - layout.tableOffset()).isGreaterThanOrEqualTo(8L * pageCount);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, Integer.MIN_VALUE, SharedFileLayout.MAX_PAGE_COUNT + 1})
  void of_pageCountOutsideItsBounds_isRefused(int pageCount) {
    assertThatThrownBy(() -> SharedFileLayout.of(4096, pageCount))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(Integer.toString(pageCount));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2048, 4095, 4097, 12288, Integer.MIN_VALUE})
  void of_pageSizeThatIsNone_isRefused(int pageSize) {
    assertThatThrownBy(() -> SharedFileLayout.of(pageSize, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(Integer.toString(pageSize));
  }

  @Test
  void new_offsetsOfAnotherLayout_areRefused() {
    SharedFileLayout layout = SharedFileLayout.of(4096, 1024);

    assertThatThrownBy(
            () -> new SharedFileLayout(4096, 1024, layout.tableOffset(), layout.dataOffset() - 8))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new SharedFileLayout(4096, 1024, 0, layout.dataOffset()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(new SharedFileLayout(4096, 1024, layout.tableOffset(), layout.dataOffset()))
        .isEqualTo(layout);
  }
}
