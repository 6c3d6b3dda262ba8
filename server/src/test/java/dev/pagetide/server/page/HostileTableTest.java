package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.nio.ByteBuffer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A client that writes what it likes into its table: every pair of resident bit and word, times
 * everything that can be done to a page. What such a client loses is its own, and the books stay
 * right.
 */
@Promise({2, 3, 5, 13, 15, 32})
final class HostileTableTest {
  private static final int PAGE = 2;
  private static final String PAIRS =
      """
      # bit,   stamp, state, counts as
      clear,   0, 0, FREE
      clear,   9, 0, FREE
      clear,   9, 1, FREE
      clear,   0, 2, FREE
      clear,   9, 3, FREE
      set,     0, 0, FREE
      set,     9, 0, FREE
      set,     9, 1, AVAILABLE
      set,     0, 2, USED
      set,     9, 2, USED
      set,     9, 3, USED
      """;

  private final TestRanges ranges = TestRanges.unlimited();
  private final ShrinkablePageRange range = ranges.open(8);

  private long set(String bit, long stamp, int state) {
    if (bit.equals("set")) {
      range.useRange(PAGE, PAGE + 1);
      Pages.fill(range, PAGE, PAGE + 1, 7);
    }
    long word = stamp << 2 | state;
    ClientView.forceWord(range.table(), PAGE, word);
    return word;
  }

  /** The books: nothing that the word says moves memory or charge. */
  private void checkBooks(boolean resident) {
    assertThat(range.pages().isResident(PAGE)).isEqualTo(resident);
    assertThat(range.pages().count()).isEqualTo(resident ? 1 : 0);
    int expected = range.file().layout().bookkeepingPages() + (resident ? 1 : 0);
    assertThat(Invariants.residentPages(range)).isEqualTo(expected);
    assertThat(ranges.budget.chargedPages()).isEqualTo(expected);
    range.close();
    assertThat(ranges.budget.chargedPages()).isZero();
  }

  @ParameterizedTest
  @CsvSource(textBlock = PAIRS)
  void states_pair_countsAsTheTableSays(String bit, long stamp, int state, PageState as) {
    set(bit, stamp, state);

    assertThat(range.states(PAGE, PAGE + 1)).containsExactly(as);
    boolean contradiction = bit.equals("set") && (state == 0 || state == 3);
    assertThat(range.counts())
        .isEqualTo(
            new PageCounts(
                as == PageState.FREE ? 8 : 7,
                as == PageState.AVAILABLE ? 1 : 0,
                as == PageState.USED ? 1 : 0,
                contradiction ? 1 : 0));
    assertThat(range.look().counts()).isEqualTo(range.counts());
    StateRuns runs = StateRuns.of(range, PageSpans.of(PAGE, PAGE + 1), 1);
    assertThat(runs.state(0)).isEqualTo(as);
    assertThat(runs.count(as)).isEqualTo(as == PageState.FREE ? 8 : 1);
    assertThat(runs.count(PageState.FREE)).isEqualTo(as == PageState.FREE ? 8 : 7);
    assertThat(ranges.shrinker.count()).isEqualTo(as == PageState.AVAILABLE ? 1 : 0);
    checkBooks(bit.equals("set"));
  }

  @ParameterizedTest
  @CsvSource(textBlock = PAIRS)
  void useRange_pair_endsUsedAndZeroedIfItHeldNoMemory(
      String bit, long stamp, int state, PageState as) {
    set(bit, stamp, state);

    PageSpans fresh = range.useRange(PAGE, PAGE + 1);

    assertThat(PageWord.state(range.table().wordAcquire(PAGE))).isEqualTo(PageWord.USED);
    assertThat(Pages.bytes(range, PAGE, PAGE + 1)).containsOnly(bit.equals("clear") ? 0 : 7);
    assertThat(fresh)
        .isEqualTo(as == PageState.FREE ? PageSpans.of(PAGE, PAGE + 1) : PageSpans.NONE);
    checkBooks(true);
  }

  @ParameterizedTest
  @CsvSource(textBlock = PAIRS)
  void useRange_pairAmongOthers_endsUsed(String bit, long stamp, int state, PageState as) {
    set(bit, stamp, state);

    range.useRange(range.spans().add(0, PAGE + 2).add(6, 8).build());

    assertThat(TestRanges.map(range)).isEqualTo("UUUUFFUU");
    assertThat(range.counts().contradictions()).isZero();
    assertThat(Pages.bytes(range, PAGE, PAGE + 1)).containsOnly(bit.equals("clear") ? 0 : 7);
    ranges.checkInvariants();
    range.close();
  }

  @ParameterizedTest
  @CsvSource(textBlock = PAIRS)
  void tryUseRange_pair_neverGivesMemory(String bit, long stamp, int state, PageState as) {
    set(bit, stamp, state);

    boolean used = range.tryUseRange(PAGE, PAGE + 1);

    assertThat(used).isEqualTo(bit.equals("set") && (state == 1 || state == 2));
    checkBooks(bit.equals("set"));
  }

  @ParameterizedTest
  @CsvSource(textBlock = PAIRS)
  void stopUsingRange_pair_changesOnlyWhatIsHeldAndUsed(
      String bit, long stamp, int state, PageState as) {
    long word = set(bit, stamp, state);

    range.stopUsingRange(PAGE, PAGE + 1);

    if (bit.equals("set") && (state == 2 || state == 3)) {
      assertThat(range.states(PAGE, PAGE + 1)).containsExactly(PageState.AVAILABLE);
      assertThat(ranges.shrinker.counters().stopped()).isEqualTo(1);
    } else {
      assertThat(range.table().wordAcquire(PAGE)).isEqualTo(word);
      assertThat(range.states(PAGE, PAGE + 1)).containsExactly(as);
      assertThat(ranges.shrinker.counters().stopped()).isZero();
    }
    checkBooks(bit.equals("set"));
  }

  @ParameterizedTest
  @CsvSource(textBlock = PAIRS)
  void readWriteZero_pair_copyOnlyWhatIsHeldAndNotFree(
      String bit, long stamp, int state, PageState as) {
    long word = set(bit, stamp, state);
    long offset = (long) PAGE * range.pageSize();
    ByteBuffer bytes = ByteBuffer.wrap(new byte[] {1, 2});

    if (bit.equals("set") && (state == 2 || state == 3)) {
      range.read(offset, bytes);
      assertThat(bytes.array()).containsExactly(7, 7);
      range.fillZero(offset, 1);
      assertThat(Pages.bytesAt(range, offset, 2)).containsExactly(0, 7);
      range.write(offset, ByteBuffer.wrap(new byte[] {3}));
      assertThat(Pages.bytesAt(range, offset, 2)).containsExactly(3, 7);
    } else {
      assertThatThrownBy(() -> range.read(offset, bytes)).isInstanceOf(PageFailure.NotUsed.class);
      assertThatThrownBy(() -> range.write(offset, bytes)).isInstanceOf(PageFailure.NotUsed.class);
      assertThatThrownBy(() -> range.fillZero(offset, 2)).isInstanceOf(PageFailure.NotUsed.class);
      assertThat(bytes.array()).containsExactly(1, 2);
    }
    assertThat(range.table().wordAcquire(PAGE)).isEqualTo(word);
    checkBooks(bit.equals("set"));
  }

  @ParameterizedTest
  @CsvSource(textBlock = PAIRS)
  void scan_pair_takesOnlyWhatIsHeldAndAvailable(String bit, long stamp, int state, PageState as) {
    range.useRange(7, 8); // so that the scan of one page is not a scan of everything
    long word = set(bit, stamp, state);
    boolean taken = as == PageState.AVAILABLE;

    ScanResult one = ranges.shrinker.scan(1);
    ScanResult all = ranges.shrinker.scan(100);

    assertThat(one.reclaimed()).isEqualTo(taken ? 1 : 0);
    assertThat(all).isEqualTo(ScanResult.NOTHING);
    if (!taken) {
      assertThat(one).isEqualTo(ScanResult.NOTHING);
      assertThat(range.table().wordAcquire(PAGE)).isEqualTo(word);
    }
    assertThat(range.pages().isResident(PAGE)).isEqualTo(bit.equals("set") && !taken);
    range.stopUsingRange(7, 8);
    assertThat(ranges.shrinker.scan(100).reclaimed()).isEqualTo(1);
    checkBooks(bit.equals("set") && !taken);
  }
}
