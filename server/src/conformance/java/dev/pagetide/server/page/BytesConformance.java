package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Promise;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The bytes of pages, with one thread. */
public abstract class BytesConformance extends RangeConformance {
  protected BytesConformance(Function<ServerTerms, ? extends ServerInside> servers) {
    super(servers);
  }

  @Test
  @Promise({10, 11})
  void use_writtenStoppedAndUsedAgain_keepsItsBytes() {
    RangeUnderTest range = open(4);
    range.use(0, 4);
    expectBytes(range, 0, 4, 0);
    byte[] bytes = new byte[4 * PAGE];
    new Random(1).nextBytes(bytes);
    range.write(0, bytes);
    range.stop(0, 4);

    assertThat(range.use(0, 4)).isEqualTo(pages());

    assertThat(bytes(range, 0, 4)).isEqualTo(bytes);
    assertThat(server().shrinker().counters().reclaimed()).isZero();
  }

  @Test
  @Promise(10)
  void use_freePagesTouchedThroughAMapping_readZeros() {
    RangeUnderTest range = open(8);
    try (ClientView view = new ClientView(core(range))) {
      view.scribble(2, 9);
      view.scribble(5, 9);

      assertThat(range.use(2, 3)).isEqualTo(pages(2, 3));

      expectBytes(range, 2, 3, 0);
      view.scribble(4, 9);
      assertThat(range.use(4, 6)).isEqualTo(pages(4, 6));
      expectBytes(range, 4, 6, 0);
      assertThat(map(range)).isEqualTo("FFUFUUFF");
    }
  }

  @Test
  @Promise({12, 22})
  void use_reclaimedPages_readZerosAndAreFresh() {
    RangeUnderTest range = open(6);
    bring(range, "UAAAUU", 7);

    assertThat(server().scan(100).reclaimed()).isEqualTo(3);

    assertThat(map(range)).isEqualTo("UFFFUU");
    assertThat(range.use(0, 6)).isEqualTo(pages(1, 4));
    expectBytes(range, 1, 4, 0);
    expectBytes(range, 0, 1, 7);
    expectBytes(range, 4, 6, 7);
  }

  @Test
  @Promise({10, 12})
  void use_reclaimedPageTouchedAgain_readsZeros() {
    RangeUnderTest range = open(4);
    bring(range, "UAUU", 7);
    assertThat(server().scan(1).reclaimed()).isEqualTo(1);
    try (ClientView view = new ClientView(core(range))) {
      assertThat(view.get(1, 0)).isZero();
      view.scribble(1, 9);

      assertThat(range.use(0, 4)).isEqualTo(pages(1, 2));
    }

    expectBytes(range, 1, 2, 0);
    expectBytes(range, 0, 1, 7);
    expectBytes(range, 2, 4, 7);
  }

  @Test
  @Promise(13)
  void scan_usedPagesAnyNumberOfTimes_leavesThemAlone() {
    RangeUnderTest range = open(8);
    bring(range, "UUUUUUUU", 7);

    for (int i = 0; i < 100; i++) {
      assertThat(server().scan(1 + i)).isEqualTo(ScanResult.NOTHING);
    }

    expectBytes(range, 0, 8, 7);
    assertThat(map(range)).isEqualTo("UUUUUUUU");
  }

  @ParameterizedTest
  @ValueSource(strings = {"A", "F", "AU", "UA", "FU", "UF", "UAU", "UFU"})
  @Promise(15)
  void copies_acrossAPageThatIsNotUsed_moveNothing(String map) {
    RangeUnderTest range = open(map.length());
    bring(range, map, 7);
    int length = map.length() * PAGE - 2;
    byte[] other = new byte[length];
    new Random(2).nextBytes(other);

    assertRefused(Refused.Why.NOT_USED, () -> range.write(1, other));
    assertRefused(Refused.Why.NOT_USED, () -> range.fillZero(1, length));
    assertRefused(Refused.Why.NOT_USED, () -> range.read(1, length));

    assertThat(map(range)).isEqualTo(map);
    checkInvariants();
    range.use(0, map.length());
    for (int page = 0; page < map.length(); page++) {
      expectBytes(range, page, page + 1, map.charAt(page) == 'F' ? 0 : 7);
    }
  }

  @Test
  @Promise(16)
  void copies_lengthZero_succeedAtAnyOffset() {
    RangeUnderTest range = open(2);
    long end = 2L * PAGE;

    for (long offset : new long[] {0, 1, end, end + 1, Long.MAX_VALUE}) {
      assertThat(range.read(offset, 0)).isEmpty();
      range.write(offset, new byte[0]);
      range.fillZero(offset, 0);
    }

    assertThat(map(range)).isEqualTo("FF");
    assertThat(server().shrinker().counters().allocated()).isZero();
  }

  @Test
  @Promise({7, 16})
  void copies_toTheEnd_succeedAndOnePastItIsRefused() {
    RangeUnderTest range = open(2);
    bring(range, "UU", 7);
    long end = 2L * PAGE;

    range.write(end - 2, new byte[] {1, 2});
    assertThat(range.read(end - 3, 3)).containsExactly(7, 1, 2);
    range.fillZero(end - 1, 1);
    assertThat(range.read(end - 3, 3)).containsExactly(7, 1, 0);

    for (long offset : new long[] {end - 1, end, end + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
      assertRefused(Refused.Why.PAST_END, () -> range.write(offset, new byte[] {9, 9}));
      assertRefused(Refused.Why.PAST_END, () -> range.read(offset, 2));
      assertRefused(Refused.Why.PAST_END, () -> range.fillZero(offset, 2));
    }
    for (long length : new long[] {end + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
      assertRefused(Refused.Why.PAST_END, () -> range.fillZero(0, length));
      assertRefused(Refused.Why.PAST_END, () -> range.fillZero(1, length));
    }
    assertThat(range.read(end - 3, 3)).containsExactly(7, 1, 0);
    expectBytes(range, 0, 1, 7);
  }

  @Test
  @Promise({7, 15})
  void copies_pastTheEndOfPagesThatAreNotUsed_areRefusedAsPastTheEnd() {
    RangeUnderTest range = open(2);
    bring(range, "AF", 7);

    assertRefused(Refused.Why.PAST_END, () -> range.read(1, 2 * PAGE));
    assertRefused(Refused.Why.PAST_END, () -> range.write(1, new byte[2 * PAGE]));
    assertRefused(Refused.Why.PAST_END, () -> range.fillZero(1, 2L * PAGE));

    assertThat(map(range)).isEqualTo("AF");
    range.use(0, 1);
    expectBytes(range, 0, 1, 7);
  }

  @ParameterizedTest
  @CsvSource({
    // first byte and one past the last, in pages and bytes
    "1, 0, 2, 0", "1, -1, 1, 1", "1, 0, 1, 1", "1, 1, 2, -1", "1, -1, 2, 0", "1, 0, 2, 1",
    "1, -1, 2, 1", "1, 1, 3, -1", "1, -1, 3, 1", "0, 1, 3, 0", "1, 0, 4, 0", "0, 0, 4, 0",
  })
  @Promise(17)
  void copies_overPageEdges_moveExactlyTheseBytes(
      int startPage, int startByte, int endPage, int endByte) {
    RangeUnderTest range = open(4);
    bring(range, "UUUU", 7);
    int start = startPage * PAGE + startByte;
    int end = endPage * PAGE + endByte;
    byte[] bytes = new byte[end - start];
    new Random(start).nextBytes(bytes);
    byte[] expected = bytes(range, 0, 4);

    range.write(start, bytes);

    System.arraycopy(bytes, 0, expected, start, bytes.length);
    assertThat(bytes(range, 0, 4)).isEqualTo(expected);
    assertThat(range.read(start, end - start)).isEqualTo(bytes);

    range.fillZero(start, end - start);

    System.arraycopy(new byte[bytes.length], 0, expected, start, bytes.length);
    assertThat(bytes(range, 0, 4)).isEqualTo(expected);
    assertThat(map(range)).isEqualTo("UUUU");
  }

  @Test
  @Promise(18)
  void bytes_ofOneRange_areNeverSeenInAnother() {
    RangeUnderTest a = open(64);
    RangeUnderTest b = open(64);
    a.use(0, 64);
    fill(a, 0, 64, 7);
    b.use(0, 64);
    expectBytes(b, 0, 64, 0);

    a.stop(0, 64);
    server().scan(64);
    b.stop(0, 64);
    server().scan(64);
    b.use(0, 64);
    expectBytes(b, 0, 64, 0);

    a.use(0, 64);
    fill(a, 0, 64, 7);
    a.close();
    RangeUnderTest c = open(64);
    c.use(0, 64);
    expectBytes(c, 0, 64, 0);
    expectBytes(b, 0, 64, 0);
    assertThat(map(b)).isEqualTo("U".repeat(64));
  }
}
