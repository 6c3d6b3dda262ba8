package dev.pagetide.server.page;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZL_Result;

/**
 * The edges of one page word in the mapped table, as a client and the shrinker take them: each from
 * the exact word that was read. All tests would show a compare-and-set that is none.
 */
@Promise(14)
public final class WordEdgeStress {
  /** Many more than states are ever alive; a cache line apart. */
  private static final int WORDS = 1 << 13;

  private static final int WORDS_APART = 8;
  private static final long CHOSEN = PageWord.available(1);
  private static final long LATER = PageWord.available(2);
  private static final long RECLAIMED = PageWord.free(3);
  private static final PageTable TABLE = TestRanges.unlimited().open(WORDS * WORDS_APART).table();
  private static final AtomicInteger NEXT = new AtomicInteger();

  private WordEdgeStress() {}

  /** One word, and the edges. */
  private static final class Word {
    private final int page = (NEXT.getAndIncrement() & (WORDS - 1)) * WORDS_APART;

    Word(long word) {
      if (!TABLE.casWord(page, TABLE.wordAcquire(page), word)) {
        throw new IllegalStateException("more states alive than words");
      }
    }

    /** A client's use: whether this call made the page USED. */
    boolean use() {
      while (true) {
        long word = TABLE.wordAcquire(page);
        if (PageWord.state(word) != PageWord.AVAILABLE) {
          return false;
        }
        if (TABLE.casWord(page, word, PageWord.USED_WORD)) {
          return true;
        }
      }
    }

    /** A client's stop: whether this call made the page AVAILABLE. */
    boolean stop() {
      return TABLE.exchangeWord(page, PageWord.USED_WORD, LATER) == PageWord.USED_WORD;
    }

    /** The shrinker's step: whether this call made the page FREE. */
    boolean reclaim(long chosen) {
      return PageWord.state(chosen) == PageWord.AVAILABLE && TABLE.casWord(page, chosen, RECLAIMED);
    }

    long read() {
      return TABLE.wordAcquire(page);
    }

    String name() {
      long word = read();
      return word == CHOSEN
          ? "chosen"
          : word == LATER
              ? "later"
              : word == RECLAIMED
                  ? "FREE"
                  : word == PageWord.USED_WORD ? "USED" : Long.toHexString(word);
    }
  }

  /** Two uses of one AVAILABLE page: exactly one makes it USED. */
  @JCStressTest
  @Outcome(
      id = {"true, false, USED", "false, true, USED"},
      expect = ACCEPTABLE,
      desc = "one winner")
  @Outcome(expect = FORBIDDEN, desc = "both winners, or none")
  @State
  public static class UseUse {
    private final Word word = new Word(CHOSEN);

    /** One user. */
    @Actor
    public void useOne(ZZL_Result result) {
      result.r1 = word.use();
    }

    /** The other user. */
    @Actor
    public void useTwo(ZZL_Result result) {
      result.r2 = word.use();
    }

    /** At rest. */
    @Arbiter
    public void rest(ZZL_Result result) {
      result.r3 = word.name();
    }
  }

  /** A use and a stop of one USED page: either may win, never half of each. */
  @JCStressTest
  @Outcome(id = "false, true, later", expect = ACCEPTABLE, desc = "use, then stop")
  @Outcome(id = "true, true, USED", expect = ACCEPTABLE, desc = "stop, then use")
  @Outcome(expect = FORBIDDEN, desc = "neither order explains it")
  @State
  public static class UseStop {
    private final Word word = new Word(PageWord.USED_WORD);

    /** The user. */
    @Actor
    public void use(ZZL_Result result) {
      result.r1 = word.use();
    }

    /** Who stops. */
    @Actor
    public void stop(ZZL_Result result) {
      result.r2 = word.stop();
    }

    /** At rest. */
    @Arbiter
    public void rest(ZZL_Result result) {
      result.r3 = word.name();
    }
  }

  /** A use and a reclaim of one AVAILABLE page: exactly one wins. */
  @JCStressTest
  @Outcome(id = "true, false, USED", expect = ACCEPTABLE, desc = "the use won")
  @Outcome(id = "false, true, FREE", expect = ACCEPTABLE, desc = "the reclaim won")
  @Outcome(id = "true, true, .*", expect = FORBIDDEN, desc = "both winners")
  @Outcome(expect = FORBIDDEN, desc = "no winner")
  @State
  public static class UseReclaim {
    private final Word word = new Word(CHOSEN);

    /** The user. */
    @Actor
    public void use(ZZL_Result result) {
      result.r1 = word.use();
    }

    /** The shrinker. */
    @Actor
    public void reclaim(ZZL_Result result) {
      result.r2 = word.reclaim(CHOSEN);
    }

    /** At rest. */
    @Arbiter
    public void rest(ZZL_Result result) {
      result.r3 = word.name();
    }
  }

  /** A stop and a reclaim of one USED page: it is taken after the stop, or not at all. */
  @JCStressTest
  @Outcome(id = "true, false, later", expect = ACCEPTABLE, desc = "looked before the stop")
  @Outcome(id = "true, true, FREE", expect = ACCEPTABLE, desc = "looked after it")
  @Outcome(id = "false, true, .*", expect = FORBIDDEN, desc = "a USED page was taken")
  @Outcome(expect = FORBIDDEN, desc = "neither order explains it")
  @State
  public static class StopReclaim {
    private final Word word = new Word(PageWord.USED_WORD);

    /** Who stops. */
    @Actor
    public void stop(ZZL_Result result) {
      result.r1 = word.stop();
    }

    /** The shrinker, that chooses by what it reads. */
    @Actor
    public void reclaim(ZZL_Result result) {
      result.r2 = word.reclaim(word.read());
    }

    /** At rest. */
    @Arbiter
    public void rest(ZZL_Result result) {
      result.r3 = word.name();
    }
  }

  /**
   * Use, stop, use between the shrinker's read and its compare-and-set: it takes the page before
   * the first use or never, because the stamp has changed.
   */
  @JCStressTest
  @Outcome(id = "true, false, USED", expect = ACCEPTABLE, desc = "the word had changed")
  @Outcome(id = "false, true, FREE", expect = ACCEPTABLE, desc = "taken before the first use")
  @Outcome(expect = FORBIDDEN, desc = "taken by a stamp it no longer had")
  @State
  public static class RoundReclaim {
    private final Word word = new Word(CHOSEN);

    /** The user. */
    @Actor
    public void round(ZZL_Result result) {
      result.r1 = word.use();
      if (result.r1) {
        word.stop();
        word.use();
      }
    }

    /** The shrinker. */
    @Actor
    public void reclaim(ZZL_Result result) {
      result.r2 = word.reclaim(CHOSEN);
    }

    /** At rest. */
    @Arbiter
    public void rest(ZZL_Result result) {
      result.r3 = word.name();
    }
  }
}
