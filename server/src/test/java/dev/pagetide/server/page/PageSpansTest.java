package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.testkit.Promise;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** How spans are put together: any order, overlaps, and the range's end. */
@Promise({6, 7})
final class PageSpansTest {
  private static PageSpans.Builder builder() {
    return new PageSpans.Builder(100);
  }

  @Test
  void build_nothingAdded_isNone() {
    assertThat(builder().build()).isSameAs(PageSpans.NONE);
    assertThat(PageSpans.NONE.isEmpty()).isTrue();
    assertThat(PageSpans.NONE.pageCount()).isZero();
  }

  @Test
  void build_ascendingSpans_keepsThem() {
    assertThat(builder().add(1, 3).add(5, 6).add(99, 100).build())
        .hasToString("{[1, 3), [5, 6), [99, 100)}");
  }

  @Test
  void build_spansInAnyOrder_sortsThem() {
    assertThat(builder().add(99, 100).add(5, 6).add(1, 3).build())
        .hasToString("{[1, 3), [5, 6), [99, 100)}");
  }

  @Test
  void build_overlappingSpans_mergesThem() {
    assertThat(builder().add(1, 10).add(5, 20).build()).hasToString("{[1, 20)}");
    assertThat(builder().add(5, 20).add(1, 10).build()).hasToString("{[1, 20)}");
    assertThat(builder().add(1, 20).add(5, 6).build()).hasToString("{[1, 20)}");
    assertThat(builder().add(5, 6).add(5, 6).build()).hasToString("{[5, 6)}");
  }

  @Test
  void build_touchingSpans_mergesThem() {
    assertThat(builder().add(1, 5).add(5, 7).build()).hasToString("{[1, 7)}");
    assertThat(builder().add(5, 7).add(1, 5).build()).hasToString("{[1, 7)}");
  }

  @Test
  void add_emptyOrInvertedSpan_isNothingWhereverItLies() {
    assertThat(
            builder()
                .add(3, 3)
                .add(9, 2)
                .add(100, 100)
                .add(4_294_967_295L, 0)
                .add(5_000, 101)
                .add(-1, -1)
                .add(Long.MAX_VALUE, Long.MIN_VALUE)
                .build())
        .isSameAs(PageSpans.NONE);
  }

  @Test
  void add_spanPastTheEnd_isRefusedWithTheNumbers() {
    assertThatThrownBy(() -> builder().add(12, 300))
        .isInstanceOf(PageFailure.PastEnd.class)
        .hasMessage(
            "pages [12, 300) exceed this range's 100 pages; ask for end_page <= 100, or open a"
                + " larger range, up to the server's --max-range-bytes");
    assertThatThrownBy(() -> builder().add(0, 101)).isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> builder().add(100, 101)).isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> builder().add(0, 4_294_967_295L))
        .isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> builder().add(0, Long.MAX_VALUE))
        .isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> builder().add(-1, 1)).isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> builder().add(Long.MIN_VALUE, 1))
        .isInstanceOf(PageFailure.PastEnd.class);
  }

  @Test
  void add_spanRefused_leavesWhatWasAddedBefore() {
    PageSpans.Builder builder = builder().add(1, 2);

    assertThatThrownBy(() -> builder.add(0, 101)).isInstanceOf(PageFailure.PastEnd.class);

    assertThat(builder.build()).hasToString("{[1, 2)}");
  }

  @Test
  void build_randomSpans_namesExactlyTheirPages() {
    long seed = Seeds.next();
    Random random = new Random(seed);
    for (int round = 0; round < 2_000; round++) {
      PageSpans.Builder builder = builder();
      BitSet expected = new BitSet();
      int adds = random.nextInt(8);
      for (int i = 0; i < adds; i++) {
        int start = random.nextInt(101);
        int end = random.nextInt(101);
        builder.add(start, end);
        if (start < end) {
          expected.set(start, end);
        }
      }

      PageSpans spans = builder.build();

      assertThat(Pages.toBits(spans)).as("round %d of seed %d", round, seed).isEqualTo(expected);
      assertThat(spans.pageCount()).isEqualTo(expected.cardinality());
      for (int span = 0; span < spans.size(); span++) {
        assertThat(spans.startPage(span)).isLessThan(spans.endPage(span));
        assertThat(span > 0 ? spans.endPage(span - 1) : -1).isLessThan(spans.startPage(span));
      }
      assertThat(spans).isEqualTo(Pages.spans(100, expected));
      assertThat(spans).hasSameHashCodeAs(Pages.spans(100, expected));
    }
  }
}
