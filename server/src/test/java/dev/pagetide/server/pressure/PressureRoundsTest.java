package dev.pagetide.server.pressure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.ReclaimTrigger;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Rounds over sources that say what the test wants, at times that it chooses. */
final class PressureRoundsTest {
  private static final long PERIOD = 1000;
  private static final Set<StallTrigger> NONE = EnumSet.noneOf(StallTrigger.class);

  private final Told told = new Told();
  private final CountedPages pages = new CountedPages();
  private final Map<PressureKind, String> missing = new EnumMap<>(PressureKind.class);
  private boolean ending;

  @Test
  void run_decision_isTakenInBatchesAndTold() {
    Scripted source = new Scripted(PressureKind.CGROUP);
    source.press(PressureLevel.MEDIUM, 2500);
    pages.available = 9000;

    rounds(false, source).run(0, NONE);

    assertThat(pages.asked).containsExactly(1024L, 1024L, 452L);
    assertThat(told.lines)
        .containsExactly("CGROUP MEDIUM", "CGROUP MEDIUM wanted 2500 reclaimed 2500 dry=false");
  }

  @Test
  void run_nothingLeft_stopsAndSourceRestsAWhile() {
    Scripted source = new Scripted(PressureKind.CGROUP);
    source.press(PressureLevel.LOW, 5000);
    pages.available = 1500;
    PressureRounds rounds = rounds(false, source);

    rounds.run(0, NONE);
    assertThat(pages.asked).containsExactly(1024L, 1024L, 1024L);
    rounds.run(PERIOD, NONE);
    assertThat(told.lines).last().isEqualTo("CGROUP LOW wanted 5000 reclaimed 0 dry=false");

    assertThat(rounds.waitNanos(PERIOD)).isEqualTo(PressureRounds.EMPTY_PAUSE_NANOS);
    rounds.run(2 * PERIOD, NONE);
    assertThat(source.asked).isEqualTo(2);
    rounds.run(PERIOD + PressureRounds.EMPTY_PAUSE_NANOS, NONE);
    assertThat(source.asked).isEqualTo(3);
  }

  @Test
  void run_endingMeanwhile_stopsBetweenTwoBatches() {
    Scripted source = new Scripted(PressureKind.MEMAVAILABLE);
    source.press(PressureLevel.LOW, 5000);
    pages.available = 9000;
    pages.afterEach = () -> ending = true;

    rounds(false, source).run(0, NONE);

    assertThat(pages.asked).containsExactly(1024L);
  }

  @Test
  void run_levelsComeAndGo_areToldOnceEach() {
    Scripted source = new Scripted(PressureKind.CGROUP);
    PressureRounds rounds = rounds(false, source);
    pages.available = 1 << 20;

    rounds.run(0, NONE);
    source.press(PressureLevel.LOW, 1);
    rounds.run(PERIOD, NONE);
    rounds.run(2 * PERIOD, NONE);
    source.press(PressureLevel.CRITICAL, 0);
    rounds.run(3 * PERIOD, NONE);
    source.press(PressureLevel.NONE, 0);
    rounds.run(4 * PERIOD, NONE);

    assertThat(told.lines)
        .containsExactly(
            "CGROUP LOW",
            "CGROUP LOW wanted 1 reclaimed 1 dry=false",
            "CGROUP LOW wanted 1 reclaimed 1 dry=false",
            "CGROUP CRITICAL",
            "CGROUP NONE");
  }

  @Test
  void run_notDue_isNotAsked() {
    Scripted source = new Scripted(PressureKind.CGROUP);
    PressureRounds rounds = rounds(false, source);

    rounds.run(0, NONE);
    rounds.run(PERIOD - 1, NONE);

    assertThat(source.asked).isEqualTo(1);
    assertThat(rounds.waitNanos(PERIOD - 1)).isEqualTo(1);
    assertThat(rounds.waitNanos(PERIOD + 1)).isZero();
    assertThat(rounds(false).waitNanos(0)).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void run_triggerFired_asksTheStallsAtOnceAndNobodyElse() {
    Scripted stalls = new Scripted(PressureKind.PSI);
    Scripted group = new Scripted(PressureKind.CGROUP);
    PressureRounds rounds = rounds(false, stalls, group);
    rounds.run(0, NONE);

    rounds.run(1, EnumSet.of(StallTrigger.SOME_70));

    assertThat(stalls.asked).isEqualTo(2);
    assertThat(stalls.fired).containsExactly(StallTrigger.SOME_70);
    assertThat(group.asked).isEqualTo(1);
    assertThat(group.fired).isEmpty();
  }

  @Test
  void run_sourceFails_isToldAndTheOthersGetTheirTurn() {
    Scripted broken = new Scripted(PressureKind.PSI);
    broken.failure = new IOException("no longer there");
    Scripted sound = new Scripted(PressureKind.CGROUP);
    sound.press(PressureLevel.LOW, 3);
    pages.available = 3;
    PressureRounds rounds = rounds(false, broken, sound);

    rounds.run(0, NONE);
    broken.failure = null;
    rounds.run(PERIOD, NONE);

    assertThat(told.lines)
        .startsWith(
            "PSI gone: no longer there",
            "PSI failed: no longer there",
            "CGROUP LOW",
            "CGROUP LOW wanted 3 reclaimed 3 dry=false");
    assertThat(broken.asked).isEqualTo(2);
  }

  @Test
  void run_sourceGoesAndComesBack_isToldOnceEachAndMissingMeanwhile() {
    Scripted stalls = new Scripted(PressureKind.PSI);
    PressureRounds rounds = rounds(false, stalls);
    rounds.run(0, NONE);
    assertThat(missing).isEmpty();

    stalls.failure = new IOException("switched off");
    rounds.run(PERIOD, NONE);
    assertThat(missing).containsExactly(Map.entry(PressureKind.PSI, "switched off"));
    stalls.failure = null;
    stalls.missing = "there is no file";
    rounds.run(2 * PERIOD, NONE);
    assertThat(missing).containsExactly(Map.entry(PressureKind.PSI, "there is no file"));
    stalls.missing = null;
    rounds.run(3 * PERIOD, NONE);

    assertThat(missing).isEmpty();
    assertThat(told.lines)
        .containsExactly(
            "PSI gone: switched off", "PSI failed: switched off", "PSI is there again");
  }

  @Test
  void run_sourceThatWasMissingFromTheStart_isToldWhenItComes() {
    missing.put(PressureKind.PSI, "there is no file");
    Scripted stalls = new Scripted(PressureKind.PSI);
    stalls.missing = "there is no file";
    PressureRounds rounds = rounds(false, stalls);

    rounds.run(0, NONE);
    assertThat(told.lines).isEmpty();
    stalls.missing = null;
    rounds.run(PERIOD, NONE);

    assertThat(missing).isEmpty();
    assertThat(told.lines).containsExactly("PSI is there again");
  }

  @Test
  void run_partOfASourceFails_isToldAndTheRestIsDone() {
    Scripted groups = new Scripted(PressureKind.CGROUP);
    groups.press(PressureLevel.LOW, 3);
    groups.trouble = new IOException("one has gone");
    pages.available = 3;

    rounds(false, groups).run(0, NONE);

    assertThat(missing).isEmpty();
    assertThat(told.lines)
        .containsExactly(
            "CGROUP failed: one has gone",
            "CGROUP LOW",
            "CGROUP LOW wanted 3 reclaimed 3 dry=false");
  }

  @Test
  void run_reclaimOrObserverFails_doesNotEscape() {
    Scripted source = new Scripted(PressureKind.CGROUP);
    source.press(PressureLevel.LOW, 3);
    pages.available = 3;
    pages.afterEach =
        () -> {
          throw new AssertionError("a bug");
        };
    told.failing = true;

    rounds(false, source).run(0, NONE);

    assertThat(told.lines).containsExactly("CGROUP LOW", "CGROUP failed: a bug");
  }

  @Test
  void run_dryRun_tellsWhatWouldBeTakenAndTakesNothing() {
    Scripted stalls = new Scripted(PressureKind.PSI);
    stalls.press(PressureLevel.LOW, 700);
    pages.available = 500;
    PressureRounds rounds = rounds(true, stalls);

    rounds.run(0, NONE);
    rounds.run(PressureRounds.EMPTY_PAUSE_NANOS, NONE);

    assertThat(pages.asked).isEmpty();
    assertThat(pages.available).isEqualTo(500);
    assertThat(told.lines)
        .containsExactly(
            "PSI LOW",
            "PSI LOW wanted 500 reclaimed 0 dry=true",
            "PSI LOW wanted 500 reclaimed 0 dry=true");
  }

  @Test
  void run_dryRunOfAShortfall_tellsTheSamePagesOnceAnEpisode() {
    Scripted group = new Scripted(PressureKind.CGROUP);
    pages.available = 900;
    PressureRounds rounds = rounds(true, group);
    long now = 0;
    for (long wanted : new long[] {400, 400, 450, 300, 2000}) {
      group.press(PressureLevel.LOW, wanted);
      rounds.run(now, NONE);
      now += PressureRounds.EMPTY_PAUSE_NANOS;
    }
    group.press(PressureLevel.NONE, 0);
    rounds.run(now, NONE);
    group.press(PressureLevel.LOW, 10);
    rounds.run(now + PERIOD, NONE);

    assertThat(pages.asked).isEmpty();
    assertThat(told.lines)
        .containsExactly(
            "CGROUP LOW",
            "CGROUP LOW wanted 400 reclaimed 0 dry=true",
            "CGROUP LOW wanted 50 reclaimed 0 dry=true",
            "CGROUP LOW wanted 450 reclaimed 0 dry=true",
            "CGROUP NONE",
            "CGROUP LOW",
            "CGROUP LOW wanted 10 reclaimed 0 dry=true");
  }

  private PressureRounds rounds(boolean dryRun, PressureSource... sources) {
    return new PressureRounds(List.of(sources), missing, pages, dryRun, told, 0, () -> ending);
  }

  /** A source that says what it is told to say. */
  private static final class Scripted implements PressureSource {
    private final PressureKind kind;
    private PressureLevel level = PressureLevel.NONE;
    private long wanted;
    private int asked;
    private Set<StallTrigger> fired = NONE;
    private @Nullable IOException failure;
    private @Nullable IOException trouble;
    private @Nullable String missing;

    Scripted(PressureKind kind) {
      this.kind = kind;
    }

    void press(PressureLevel newLevel, long pagesWanted) {
      level = newLevel;
      wanted = pagesWanted;
    }

    @Override
    public PressureKind kind() {
      return kind;
    }

    @Override
    public long periodNanos() {
      return PERIOD;
    }

    @Override
    public @Nullable PressureDecision ask(long nowNanos, Set<StallTrigger> firedNow)
        throws IOException {
      asked++;
      fired = firedNow;
      IOException broken = failure;
      if (broken != null) {
        throw broken;
      }
      ReclaimTrigger trigger =
          kind == PressureKind.PSI ? ReclaimTrigger.PSI_SOME : ReclaimTrigger.valueOf(kind.name());
      return wanted == 0 ? null : new PressureDecision(trigger, level, wanted);
    }

    @Override
    public @Nullable IOException trouble() {
      return trouble;
    }

    @Override
    public @Nullable String missing() {
      return missing;
    }

    @Override
    public PressureLevel level() {
      return level;
    }

    @Override
    public void close() {}
  }

  /** Pages that are only a number. */
  private static final class CountedPages implements ReclaimablePages {
    private final List<Long> asked = new ArrayList<>();
    private long available;
    private Runnable afterEach = () -> {};

    @Override
    public long count() {
      return available;
    }

    @Override
    public long reclaim(long wanted, ReclaimTrigger trigger) {
      asked.add(wanted);
      long taken = Math.min(wanted, available);
      available -= taken;
      afterEach.run();
      return taken;
    }
  }

  /** What was told, a line each. */
  private static final class Told implements PressureObserver {
    private final List<String> lines = new ArrayList<>();
    private boolean failing;

    @Override
    public void decided(
        ReclaimTrigger trigger, PressureLevel level, long wanted, long reclaimed, boolean dryRun) {
      lines.add(
          "%s %s wanted %d reclaimed %d dry=%s"
              .formatted(PressureKind.of(trigger), level, wanted, reclaimed, dryRun));
    }

    @Override
    public void levelChanged(PressureKind source, PressureLevel level) {
      lines.add(source + " " + level);
    }

    @Override
    public void presenceChanged(PressureKind source, @Nullable String why) {
      lines.add(why == null ? source + " is there again" : source + " gone: " + why);
    }

    @Override
    public void failed(PressureKind source, Throwable cause) {
      lines.add(source + " failed: " + cause.getMessage());
      if (failing) {
        throw new IllegalStateException("the observer has a bug, too");
      }
    }
  }
}
