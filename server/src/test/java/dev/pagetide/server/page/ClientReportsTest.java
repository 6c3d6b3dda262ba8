package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.shm.ClientCounts;
import dev.pagetide.testkit.Promise;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Numbers that clients write themselves: no sum falls, and no lie is believed. */
@Promise(32)
final class ClientReportsTest {
  private static final ClientCounts NONE = counts(0);

  private final AtomicLong time = new AtomicLong(1_000_000);
  private final TestRanges ranges =
      new TestRanges(TestRanges.UNLIMITED_PAGES, time::get, PageFileMaker.MEMFD);
  private final ClientReports reports = ranges.shrinker.clientReports();

  @AfterEach
  void close() {
    ranges.close();
  }

  private static ClientCounts counts(long each) {
    return new ClientCounts(each, each, each, each);
  }

  private static void say(ShrinkablePageRange range, ClientCounts counts) {
    try (ClientView client = new ClientView(range)) {
      client.header().writeClientCounts(counts);
    }
  }

  @Test
  void totals_severalRanges_areTheSums() {
    ShrinkablePageRange a = ranges.open(4);
    ShrinkablePageRange b = ranges.open(4);
    assertThat(reports.totals()).isEqualTo(NONE);
    time.addAndGet(1_000);

    say(a, new ClientCounts(10, 20, 30, 40));
    say(b, new ClientCounts(1, 2, 3, 4));

    assertThat(reports.totals()).isEqualTo(new ClientCounts(11, 22, 33, 44));
    assertThat(reports.totals()).isEqualTo(new ClientCounts(11, 22, 33, 44));
    assertThat(ranges.shrinker.counters().reused()).isZero(); // never mixed
    assertThat(ranges.shrinker.counters().stopped()).isZero();
  }

  @Test
  void totals_rangeEnds_keepItsLastNumbers() {
    ShrinkablePageRange a = ranges.open(4);
    ShrinkablePageRange b = ranges.open(4);
    time.addAndGet(1_000);
    say(a, counts(10));
    assertThat(reports.totals()).isEqualTo(counts(10));
    say(a, counts(12)); // and nobody asks before it ends
    say(b, counts(5));

    a.close();
    b.closeKeepingBytes();

    assertThat(reports.totals()).isEqualTo(counts(17));
    ShrinkablePageRange c = ranges.open(4);
    time.addAndGet(1_000);
    say(c, counts(1));
    assertThat(reports.totals()).isEqualTo(counts(18));
  }

  @Test
  void totals_rangeClosing_areWhatItSaidLast() {
    ShrinkablePageRange range = ranges.open(4);
    time.addAndGet(1_000);
    say(range, counts(10));
    assertThat(reports.totals()).isEqualTo(counts(10));
    say(range, counts(20));

    // Somebody else is inside while it closes; so it has not been read for the last time.
    assertThat(range.entries().tryEnter()).isTrue();
    Thread closer = Thread.ofPlatform().start(range::close);
    while (!range.isClosed()) {
      Thread.onSpinWait();
    }
    assertThat(reports.totals()).isEqualTo(counts(10));
    range.entries().leave();
    try {
      closer.join();
    } catch (InterruptedException e) {
      throw new AssertionError("interrupted", e);
    }

    assertThat(reports.totals()).isEqualTo(counts(20));
  }

  @Test
  void totals_counterFalls_neitherSubtractsNorAddsTwice() {
    ShrinkablePageRange range = ranges.open(4);
    time.addAndGet(1_000);
    say(range, counts(100));
    assertThat(reports.totals()).isEqualTo(counts(100));

    for (long said : List.of(0L, 99L, -1L, 50L, 100L)) {
      say(range, counts(said));
      assertThat(reports.totals()).isEqualTo(counts(100));
    }
    say(range, counts(101));

    assertThat(reports.totals()).isEqualTo(counts(101));
    say(range, counts(0));
    range.close();
    assertThat(reports.totals()).isEqualTo(counts(101));
  }

  @Test
  void totals_moreThanAPageEachNanosecond_areNotBelieved() {
    ShrinkablePageRange range = ranges.open(4);
    time.addAndGet(1_000);
    say(range, counts(7));
    assertThat(reports.totals()).isEqualTo(counts(7));

    for (long said : List.of(1_001L, 1L << 40, Long.MAX_VALUE, Long.MIN_VALUE, -7L)) {
      say(range, counts(said));
      assertThat(reports.totals()).as(Long.toString(said)).isEqualTo(counts(7));
    }
    say(range, new ClientCounts(1_000, 1_001, 8, Long.MAX_VALUE));

    assertThat(reports.totals()).isEqualTo(new ClientCounts(1_000, 7, 8, 7));
    time.addAndGet(1);
    assertThat(reports.totals()).isEqualTo(new ClientCounts(1_000, 1_001, 8, 7));
  }

  @Test
  void totals_liarsAmongOthers_poisonNoSum() {
    ShrinkablePageRange honest = ranges.open(4);
    ShrinkablePageRange liar = ranges.open(4);
    time.addAndGet(1_000);
    say(honest, counts(5));
    say(liar, counts(Long.MAX_VALUE));
    assertThat(reports.totals()).isEqualTo(counts(5));

    liar.close();

    assertThat(reports.totals()).isEqualTo(counts(5));
    say(honest, counts(6));
    assertThat(reports.totals()).isEqualTo(counts(6));
  }

  @Test
  void totals_sumsBeyondALong_stayAtTheLargest() {
    ShrinkablePageRange a = ranges.open(4);
    ShrinkablePageRange b = ranges.open(4);
    time.addAndGet(Long.MAX_VALUE - 2_000_000); // 292 years
    say(a, counts(Long.MAX_VALUE - 2_000_000));
    say(b, counts(Long.MAX_VALUE - 2_000_000));

    assertThat(reports.totals()).isEqualTo(counts(Long.MAX_VALUE));
    a.close();
    assertThat(reports.totals()).isEqualTo(counts(Long.MAX_VALUE));
    b.close();
    assertThat(reports.totals()).isEqualTo(counts(Long.MAX_VALUE));
  }

  @Test
  void totals_whileRangesOpenCountLieAndEnd_neverFall() throws InterruptedException {
    AtomicBoolean done = new AtomicBoolean();
    Crowd.run(
        List.of(
            index -> {
              for (int round = 0; round < 300; round++) {
                ShrinkablePageRange range = ranges.open(1);
                try (ClientView client = new ClientView(range)) {
                  for (int i = 0; i < 10; i++) {
                    time.addAndGet(100);
                    client.header().writeClientCounts(counts(i % 3 == 2 ? -i : 10L * i));
                  }
                  range.close();
                }
                ranges.ranges.remove(range);
              }
              done.set(true);
            },
            index -> {
              ClientCounts before = NONE;
              while (!done.get()) {
                ClientCounts now = reports.totals();
                if (now.uses() < before.uses() || now.failures() < before.failures()) {
                  throw new AssertionError(now + " after " + before);
                }
                before = now;
              }
            }));

    assertThat(reports.totals().uses()).isEqualTo(300L * 90);
  }
}
