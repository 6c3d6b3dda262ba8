package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How candidates are chosen and sorted, against a sort of the JDK's. */
@Promise(21)
final class CandidateBufferTest {
  private record Candidate(long word, long place) {
    static final Comparator<Candidate> ORDER =
        Comparator.comparing(Candidate::word, Long::compareUnsigned)
            .thenComparing(Candidate::place, Long::compareUnsigned);
  }

  /** Adds candidates to a buffer and to an array, and compares what comes out. */
  private static void check(int count, int capacity, IntToLongFunction stamps) {
    CandidateBuffer buffer = new CandidateBuffer(capacity, 4);
    Candidate[] all = new Candidate[count];
    for (int i = 0; i < count; i++) {
      all[i] =
          new Candidate(
              PageWord.available(stamps.applyAsLong(i)), CandidateBuffer.place(i % 3, i / 3));
      buffer.add(all[i].word(), all[i].place());
    }
    Arrays.sort(all, Candidate.ORDER);

    buffer.finish();

    assertThat(buffer.size()).isEqualTo(Math.min(count, capacity));
    for (int i = 0; i < buffer.size(); i++) {
      if (buffer.words()[i] != all[i].word() || buffer.places()[i] != all[i].place()) {
        throw new AssertionError(
            "place %d of %d, capacity %d: not %s".formatted(i, count, capacity, all[i]));
      }
    }
  }

  @Test
  void finish_randomStamps_keepsTheSmallestInOrder() {
    Random random = new Random(Seeds.next());
    for (int round = 0; round < 300; round++) {
      int capacity = 1 + random.nextInt(round % 10 == 0 ? 5_000 : 100);
      int count = random.nextInt(4 * capacity + 2);
      int distinct = 1 + random.nextInt(1_000);
      check(count, capacity, i -> random.nextInt(distinct));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 23, 24, 25, 511, 512, 513, 1024, 4096})
  void finish_countsAroundTheCapacity_keepsNoMoreAndNoLess(int capacity) {
    Random random = new Random(capacity);
    for (int count :
        new int[] {0, 1, capacity - 1, capacity, capacity + 1, 2 * capacity, 2 * capacity + 1}) {
      check(count, capacity, i -> random.nextLong(1L << 40));
    }
  }

  @Test
  void finish_ascendingStamps_keepsTheFirst() {
    check(100_000, 4096, i -> i);
  }

  @Test
  void finish_descendingStamps_keepsTheLast() {
    check(100_000, 4096, i -> 100_000 - i);
  }

  @Test
  void finish_runsUpAndDown_mergesThemInOrder() {
    Random random = new Random(Seeds.next());
    for (int round = 0; round < 300; round++) {
      int length = 1 + random.nextInt(200);
      int base = random.nextInt(1_000);
      check(
          random.nextInt(4_000),
          1 + random.nextInt(5_000),
          i -> base + (i / length % 2 == 0 ? i % length : length - i % length));
    }
  }

  @Test
  void finish_equalStamps_ordersByRangeAndFromTheHighestPageDown() {
    check(100_000, 4096, i -> 7);
    check(4_000, 4096, i -> 7);
  }

  @Test
  void finish_fewDifferentStamps_breaksTiesByPlace() {
    check(100_000, 4096, i -> i % 3);
  }

  @Test
  void finish_stampsOfTheWholeWidth_comparesThemUnsigned() {
    Random random = new Random(Seeds.next());
    check(10_000, 1_000, i -> random.nextLong(PageWord.MAX_STAMP));
  }

  @Test
  void place_anyRangeAndPage_isReadBack() {
    for (int range : new int[] {0, 1, 10_000, Integer.MAX_VALUE}) {
      for (int page : new int[] {0, 1, 1023, (1 << 27) - 1}) {
        long place = CandidateBuffer.place(range, page);

        assertThat(CandidateBuffer.rangeIndex(place)).isEqualTo(range);
        assertThat(CandidateBuffer.page(place)).isEqualTo(page);
      }
    }
    assertThat(CandidateBuffer.place(0, 5)).isLessThan(CandidateBuffer.place(0, 4));
    assertThat(CandidateBuffer.place(0, 0)).isLessThan(CandidateBuffer.place(1, 1023));
  }

  @Test
  void sortByPlace_partOfAnArray_leavesTheRestAlone() {
    long[] words = {9, 8, 7, 6, 5};
    long[] places = {5, 4, 3, 2, 1};

    new CandidateBuffer(1, 1).sortByPlace(words, places, 1, 4);

    assertThat(places).containsExactly(5, 2, 3, 4, 1);
    assertThat(words).containsExactly(9, 6, 7, 8, 5);
  }
}
