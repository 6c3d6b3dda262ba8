package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Promise;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Two or more threads at one page at the same time. */
public abstract class RacesConformance extends RangeConformance {
  protected RacesConformance(Function<ServerTerms, ? extends ServerInside> servers) {
    super(servers);
  }

  @Test
  @Promise(28)
  void use_sixteenThreadsOneFreePage_allocatesOnce() throws InterruptedException {
    for (int round = 1; round <= server().rounds(50); round++) {
      RangeUnderTest range = open(4);

      Crowd.run(16, index -> assertThat(range.use(1, 2).cardinality()).isLessThan(2));

      assertThat(server().shrinker().counters().allocated()).isEqualTo(round);
      assertThat(Invariants.residentPages(core(range))).isEqualTo(3);
      assertThat(map(range)).isEqualTo("FUFF");
      checkInvariants();
      range.close();
    }
  }

  @Test
  @Promise(28)
  void use_sixteenThreadsOverlappingSpans_allocatesEachPageOnce() throws InterruptedException {
    for (int round = 1; round <= server().rounds(20); round++) {
      RangeUnderTest range = open(600);

      Crowd.run(16, index -> range.use(index * 10, 400 + index * 10));

      assertThat(server().shrinker().counters().allocated()).isEqualTo(550L * round);
      assertThat(core(range).counts()).isEqualTo(new PageCounts(50, 0, 550, 0));
      checkInvariants();
      range.close();
    }
  }

  @Test
  @Promise(29)
  void use_racingStop_endsUsedOrAvailableAndKeepsTheBytes() throws InterruptedException {
    RangeUnderTest range = open(8);
    bring(range, "UUUUUUUU", 7);
    int rounds = server().rounds(20_000);

    Crowd.run(
        4,
        index -> {
          for (int i = 0; i < rounds; i++) {
            if (index % 2 == 0) {
              assertThat(range.use(i % 4, i % 4 + 3)).isEqualTo(pages());
            } else {
              range.stop(i % 5, i % 5 + 3);
            }
          }
        });

    PageCounts counts = core(range).counts();
    assertThat(counts.free()).isZero();
    assertThat(counts.used() + counts.available()).isEqualTo(8);
    checkInvariants();
    assertThat(range.use(0, 8)).isEqualTo(pages());
    expectBytes(range, 0, 8, 7);
    assertThat(server().shrinker().counters().allocated()).isEqualTo(8);
  }

  @Test
  @Promise({12, 14})
  void use_racingReclaim_givesOldBytesOrZerosAndLosesNoWrite() throws InterruptedException {
    RangeUnderTest range = open(4);
    range.use(3, 4); // so that a scan of one page is not a scan of everything
    int rounds = server().rounds(30_000);
    AtomicBoolean done = new AtomicBoolean();
    int[] freshes = new int[1];

    Crowd.run(
        List.of(
            index -> {
              try {
                freshes[0] = useWriteAndStop(range, rounds);
              } finally {
                done.set(true);
              }
            },
            index -> {
              for (long pages = 1; !done.get(); pages = 4 - pages) {
                server().shrinker().scan(pages);
              }
            }));

    checkInvariants();
    assertThat(freshes[0]).isPositive();
    assertThat(server().shrinker().counters().reclaimed()).isGreaterThanOrEqualTo(freshes[0] - 1);
    expectBytes(range, 3, 4, 0);
  }

  /** One user of page 1, who knows what it wrote; how often its bytes were gone. */
  private static int useWriteAndStop(RangeUnderTest range, int rounds) {
    int freshes = 0;
    int last = 0;
    for (int i = 0; i < rounds; i++) {
      boolean fresh = !range.use(1, 2).isEmpty();
      freshes += fresh ? 1 : 0;
      expectBytes(range, 1, 2, fresh ? 0 : last);
      last = 1 + i % 100;
      fill(range, 1, 2, last);
      expectBytes(range, 1, 2, last);
      range.stop(1, 2);
    }
    return freshes;
  }

  @Test
  @Promise({2, 14})
  void write_pageStoppedAndReclaimedUnderIt_leavesNoMemoryUnaccounted()
      throws InterruptedException {
    RangeUnderTest range = open(4);
    int rounds = server().rounds(20_000);
    AtomicBoolean done = new AtomicBoolean();

    Crowd.run(
        List.of(
            index -> {
              try {
                for (int i = 0; i < rounds; i++) {
                  try {
                    if (i % 2 == 0) {
                      fill(range, 0, 4, 9);
                    } else {
                      range.fillZero(0, 4L * PAGE);
                    }
                  } catch (Refused e) {
                    assertThat(e.why()).isEqualTo(Refused.Why.NOT_USED);
                    range.use(0, 4);
                  }
                }
              } finally {
                done.set(true);
              }
            },
            index -> {
              while (!done.get()) {
                range.stop(0, 4);
                server().shrinker().scan(4);
              }
            }));

    checkAtRestWithStrays(range);
  }

  /**
   * A client that writes through its mapping while its own pages are stopped and reclaimed may
   * bring memory back behind the server's back: strays, which the next allocation finds.
   */
  private void checkAtRestWithStrays(RangeUnderTest range) {
    range.stop(0, 4);
    server().shrinker().scan(4);
    assertThat(range.use(0, 4)).isEqualTo(pages(0, 4));
    checkInvariants();
    expectBytes(range, 0, 4, 0);
  }

  @Test
  @Promise(18)
  void sessions_comingAndGoingOnSeveralThreads_neverShowEachOthersBytes()
      throws InterruptedException {
    int rounds = server().rounds(200);

    Crowd.run(
        4,
        index -> {
          for (int i = 0; i < rounds; i++) {
            RangeUnderTest range = open(8);
            assertThat(range.use(0, 8)).isEqualTo(pages(0, 8));
            expectBytes(range, 0, 8, 0);
            fill(range, 0, 8, 1 + index);
            expectBytes(range, 0, 8, 1 + index);
            if (i % 2 == 0) {
              range.close();
            } else {
              range.vanish();
            }
            assertRefused(Refused.Why.ENDED, () -> range.read(0, 1));
          }
        });

    assertThat(server().budget().chargedPages()).isZero();
    assertThat(server().shrinker().counters().closed()).isEqualTo(32L * rounds);
  }
}
