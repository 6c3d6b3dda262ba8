package dev.pagetide.client.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.client.FreshPages;
import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.RangeStatus;
import java.util.Arrays;

/**
 * A client that does what it may, on two halves of a range: one stays USED and keeps its bytes for
 * good, the other is stopped and used again, and keeps its bytes or reads as zeros.
 */
final class HonestClient implements AutoCloseable {
  static final int KEPT_PAGES = 32;
  static final int REUSED_PAGES = 32;
  private static final int PAGES = KEPT_PAGES + REUSED_PAGES;

  private final PagetideClient client;
  private final PageRange range;
  private final int pageSize;
  private final byte[] kept;
  private byte round;

  HonestClient(PagetideClient client) {
    this.client = client;
    this.range = client.open(OpenOptions.ofSize(PAGES * 4096L));
    this.pageSize = range.pageSize();
    this.kept = new byte[KEPT_PAGES * pageSize];
    for (int i = 0; i < kept.length; i++) {
      kept[i] = (byte) (i * 31 + i / pageSize);
    }
    range.useRange(0, PAGES);
    range.write(0, kept);
    write();
  }

  PageRange range() {
    return range;
  }

  private void write() {
    round = (byte) (round == 100 ? 1 : round + 1);
    byte[] bytes = new byte[REUSED_PAGES * pageSize];
    Arrays.fill(bytes, round);
    range.write((long) KEPT_PAGES * pageSize, bytes);
    range.stopUsingRange(KEPT_PAGES, PAGES);
  }

  /** Uses the second half again, looks at what has become of its bytes, and writes others. */
  void reuse() {
    FreshPages fresh = range.useRange(KEPT_PAGES, PAGES);
    for (int page = KEPT_PAGES; page < PAGES; page++) {
      byte[] bytes = range.read((long) page * pageSize, pageSize);
      byte[] expected = new byte[pageSize];
      Arrays.fill(expected, fresh.contains(page) ? 0 : round);
      assertThat(bytes).as("page %d, fresh %s", page, fresh).isEqualTo(expected);
    }
    write();
  }

  /** The first half's bytes, and what the operator is told of this range. */
  void check() {
    assertThat(range.read(0, kept.length)).isEqualTo(kept);
    RangeStatus status = status(client, range.rangeId());
    assertThat(status.usedPages()).isEqualTo(KEPT_PAGES);
    assertThat(status.freePages() + status.availablePages()).isEqualTo(REUSED_PAGES);
    assertThat(status.strays()).isZero();
    assertThat(status.contradictions()).isZero();
  }

  static RangeStatus status(PagetideClient client, long rangeId) {
    return client.shrinker().listRanges().stream()
        .filter(status -> status.rangeId() == rangeId)
        .findFirst()
        .orElseThrow();
  }

  @Override
  public void close() {
    range.close();
  }
}
