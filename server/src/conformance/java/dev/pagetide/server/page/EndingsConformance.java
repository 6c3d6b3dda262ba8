package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.testkit.Promise;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Endings: a range ends at any moment, and everything is back. */
public abstract class EndingsConformance extends RangeConformance {
  protected EndingsConformance(Function<ServerTerms, ? extends ServerInside> servers) {
    super(servers);
  }

  private static void end(RangeUnderTest range, boolean saysGoodbye) {
    if (saysGoodbye) {
      range.close();
    } else {
      range.vanish();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  @Promise({27, 31})
  void verbs_afterTheEnd_areRefusedAsEndedAndNothingElse(boolean goodbye) {
    RangeUnderTest range = open(4);
    range.use(0, 4);

    end(range, goodbye);
    range.close();

    for (ThrowingCallable verb :
        List.<ThrowingCallable>of(
            () -> range.use(0, 1),
            () -> range.use(0, 3),
            () -> range.use(1, 0),
            () -> range.use(0, 99),
            () -> range.use(0, 1, 2, 3),
            () -> range.use(),
            () -> range.stop(0, 1),
            () -> range.stop(1, 0),
            () -> range.stop(0, 1, 2, 3),
            () -> range.read(0, 1),
            () -> range.write(0, new byte[1]),
            () -> range.fillZero(0, 1),
            () -> range.fillZero(0, 0),
            range::states)) {
      assertRefused(Refused.Why.ENDED, verb);
    }
    assertThat(server().budget().chargedPages()).isZero();
    assertThat(server().shrinker().counters().closed()).isEqualTo(4);
    assertThat(server().scan(10)).isEqualTo(ScanResult.NOTHING);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  @Promise({25, 31})
  void end_oneOfTwo_takesItsMemoryAloneAndLeavesTheOther(boolean goodbye) {
    RangeUnderTest ending = open(8);
    RangeUnderTest staying = open(8);
    bring(ending, "UUAAUUFF", 7);
    bring(staying, "UUAAAFFF", 9);
    long[] words = words(staying);

    end(ending, goodbye);

    assertThat(server().count()).isEqualTo(3);
    assertThat(server().budget().chargedPages()).isEqualTo(7);
    assertThat(server().shrinker().counters().closed()).isEqualTo(6);
    assertThat(words(staying)).isEqualTo(words);
    assertThat(server().scan(2).reclaimed()).isEqualTo(2);
    assertThat(map(staying)).isEqualTo("UUAFFFFF");
    expectBytes(staying, 0, 2, 9);
  }

  @Test
  @Promise({24, 27})
  void scan_candidatesOfAnEndedRange_arePassedOver() {
    RangeUnderTest a = open(4);
    RangeUnderTest b = open(4);
    a.use(0, 4);
    b.use(0, 4);
    a.stop(0, 3);
    b.stop(0, 2);
    assertThat(server().scan(1).reclaimed()).isEqualTo(1); // queues the rest
    a.close();

    ScanResult result = server().scan(1);

    assertThat(result.reclaimed()).isEqualTo(1);
    assertThat(map(b)).isEqualTo("AFUU");
    assertThat(result.skipped().keySet()).isSubsetOf(SkipReason.CLOSING, SkipReason.LOCKED);
  }

  @Test
  @Promise(25)
  void scan_aMappingOfTheFileWasLetGoOf_reclaimsAllTheSame() {
    RangeUnderTest range = open(8);
    range.use(0, 8);
    try (ClientView view = new ClientView(core(range))) {
      view.scribble(3, 9);
    }
    range.stop(0, 8);

    assertThat(server().scan(100).reclaimed()).isEqualTo(8);

    assertThat(map(range)).isEqualTo("FFFFFFFF");
    assertThat(range.use(3, 4)).isEqualTo(pages(3, 4));
    expectBytes(range, 3, 4, 0);
  }

  @Test
  @Promise({25, 31})
  void end_somebodyHoldsAMapping_givesTheMemoryBackAndItReadsZeros() {
    RangeUnderTest range = open(8);
    bring(range, "UUUUUUUU", 7);
    try (ClientView view = new ClientView(core(range))) {
      assertThat(view.get(3, 0)).isEqualTo((byte) 7);

      range.vanish();

      assertThat(view.get(3, 0)).isZero();
      assertThat(server().budget().chargedPages()).isZero();
      assertThat(server().shrinker().counters().closed()).isEqualTo(8);
    }
  }

  @Test
  @Promise({27, 31})
  void end_racingEverything_givesOnlyEndedAndEverythingBack() throws InterruptedException {
    long before = ClientView.openRangeFiles();
    for (int round = 0; round < server().rounds(300); round++) {
      RangeUnderTest range = open(300);
      range.use(0, 100);

      race(range, round % 2 == 0);

      assertThat(server().budget().chargedPages()).isZero();
      assertThat(server().count()).isZero();
    }

    PageCounters counters = server().shrinker().counters();
    assertThat(counters.allocated() - counters.reclaimed() - counters.closed()).isZero();
    assertThat(counters.closed()).isPositive();
    await().until(() -> ClientView.openRangeFiles() == before);
  }

  private void race(RangeUnderTest range, boolean goodbye) throws InterruptedException {
    AtomicInteger finished = new AtomicInteger();
    Shrinker shrinker = server().shrinker();
    List<Runnable> verbs =
        List.of(
            () -> range.use(0, 300),
            () -> range.use(7, 8),
            () -> range.use(0, 3, 5, 9),
            () -> range.stop(50, 300),
            () -> assertThat(range.read(0, 20_000)).hasSize(20_000),
            () -> range.write(0, new byte[20_000]),
            () -> range.fillZero(0, 20_000),
            () -> assertThat(range.states()).hasSize(300),
            () -> shrinker.scan(Long.MAX_VALUE),
            () -> shrinker.scan(3),
            () -> assertThat(shrinker.count()).isBetween(0L, 300L),
            () -> assertThat(core(range).counts().available()).isBetween(0L, 300L));
    List<Crowd.Member> members = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      members.add(index -> {
        // Until the end; those verbs that never say so go on with others that do.
        for (int j = index; ; j++) {
          try {
            verbs.get(j % verbs.size()).run();
          } catch (Refused e) {
            if (e.why() == Refused.Why.ENDED) {
              finished.incrementAndGet();
              return;
            }
            assertThat(e.why()).isEqualTo(Refused.Why.NOT_USED);
          }
        }
      });
    }
    for (int i = 0; i < 2; i++) {
      members.add(index -> {
        while (shrinker.counters().allocated() % 7 == index % 7 && !core(range).isClosed()) {
          Thread.onSpinWait();
        }
        end(range, goodbye);
      });
    }
    Crowd.run(members);
    assertThat(finished).hasValue(5);
  }
}
