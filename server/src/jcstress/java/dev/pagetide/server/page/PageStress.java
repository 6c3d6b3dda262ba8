package dev.pagetide.server.page;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.pagetide.testkit.Promise;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.LLLL_Result;
import org.openjdk.jcstress.infra.results.LLL_Result;
import org.openjdk.jcstress.infra.results.LL_Result;

/** Use, stop, write and reclaim of one page or two of a real range: what no race may do. */
@Promise({12, 14, 28, 29, 30})
public final class PageStress {
  private static final int UNLIMITED = 1 << 20;

  private PageStress() {}

  /**
   * A use and a write against a scan that takes everything.
   *
   * <p>The bug it would show: a punch that comes after the page was handed out again (a lock let go
   * between the word and the punch), or a use and a reclaim that both win.
   */
  @JCStressTest
  @Outcome(id = "kept, old, left, used new", expect = ACCEPTABLE, desc = "the use won")
  @Outcome(id = "fresh, zeros, took, used new", expect = ACCEPTABLE, desc = "the reclaim won")
  @Outcome(id = ".*, .*, .*, used zeros", expect = FORBIDDEN, desc = "a write lost to a punch")
  @Outcome(id = "fresh, old, .*, .*", expect = FORBIDDEN, desc = "old bytes after a reclaim")
  @Outcome(id = "kept, .*, took, .*", expect = FORBIDDEN, desc = "both winners")
  @Outcome(expect = FORBIDDEN, desc = "neither order of the two explains it")
  @State
  public static class UseWriteScanAll {
    private static final StressRange.Pool POOL = new StressRange.Pool(1, UNLIMITED);
    private final StressRange page = POOL.claim().available(0, 1);

    /** The user. */
    @Actor
    public void use(LLLL_Result result) {
      result.r1 = page.use(0, 1);
      result.r2 = page.read(0);
      page.write(0, StressRange.NEW);
    }

    /** The shrinker. */
    @Actor
    public void scan(LLLL_Result result) {
      result.r3 = page.scan(1);
    }

    /** At rest. */
    @Arbiter
    public void rest(LLLL_Result result) {
      page.stillMine();
      String audit = page.audit();
      result.r4 = audit.equals("exact") ? page.look(0) : audit;
    }
  }

  /**
   * A use of two pages and a write to both, against a scan that takes the oldest: page 1, the
   * higher of one stamp.
   *
   * <p>The bug it would show: a use of several pages that looks at all, loses one to the shrinker,
   * and makes it USED without memory, or says that it kept its bytes (no gate).
   */
  @JCStressTest
  @Outcome(id = "kept, old old, left, used new used new", expect = ACCEPTABLE, desc = "the use won")
  @Outcome(
      id = "fresh, old zeros, took, used new used new",
      expect = ACCEPTABLE,
      desc = "the reclaim of page 1 won")
  @Outcome(id = "kept, .*, took, .*", expect = FORBIDDEN, desc = "both winners")
  @Outcome(id = ".*, .*, .*, .*zeros.*", expect = FORBIDDEN, desc = "a write lost to a punch")
  @Outcome(expect = FORBIDDEN, desc = "neither order of the two explains it")
  @State
  public static class UseTwoPagesScanOldest {
    private static final StressRange.Pool POOL = new StressRange.Pool(2, UNLIMITED);
    private final StressRange pages = POOL.claim().available(0, 2);

    /** The user. */
    @Actor
    public void use(LLLL_Result result) {
      result.r1 = pages.use(0, 2);
      result.r2 = pages.read(0) + " " + pages.read(1);
      pages.write(0, StressRange.NEW);
      pages.write(1, StressRange.NEW);
    }

    /** The shrinker. */
    @Actor
    public void scan(LLLL_Result result) {
      result.r3 = pages.scan(1);
    }

    /** At rest. */
    @Arbiter
    public void rest(LLLL_Result result) {
      pages.stillMine();
      String audit = pages.audit();
      result.r4 = audit.equals("exact") ? pages.look(0) + " " + pages.look(1) : audit;
    }
  }

  /**
   * Use, stop, use, while the shrinker holds the word that it chose the page by before the first.
   *
   * <p>The bug it would show: a reclaim that does not start from the exact word, and takes a page
   * that has been used since it was among the oldest.
   */
  @JCStressTest
  @Outcome(id = "kept, kept, left, used old", expect = ACCEPTABLE, desc = "used before")
  @Outcome(id = "fresh, kept, took, used zeros", expect = ACCEPTABLE, desc = "reclaimed before")
  @Outcome(
      id = "kept, fresh, took, .*",
      expect = FORBIDDEN,
      desc = "a page used meanwhile was reclaimed by its older stamp")
  @Outcome(expect = FORBIDDEN, desc = "no order explains it")
  @State
  public static class UseStopUseReclaimChosen {
    private static final StressRange.Pool POOL = new StressRange.Pool(1, UNLIMITED);
    private final StressRange page = POOL.claim().available(0, 1);
    private final long chosen = page.word(0);

    /** The user. */
    @Actor
    public void use(LLLL_Result result) {
      result.r1 = page.use(0, 1);
      page.range.stopUsingRange(0, 1);
      result.r2 = page.use(0, 1);
    }

    /** The shrinker. */
    @Actor
    public void reclaim(LLLL_Result result) {
      result.r3 = page.reclaim(0, chosen);
    }

    /** At rest. */
    @Arbiter
    public void rest(LLLL_Result result) {
      page.stillMine();
      String audit = page.audit();
      result.r4 = audit.equals("exact") ? page.look(0) : audit;
    }
  }

  /**
   * A write against a stop and a scan: the one race in which bytes may be lost, because the client
   * stopped the page it was writing to.
   *
   * <p>The bug it would show: memory that a late write brought back to a punched page and that
   * nobody accounts for, or that the next user sees.
   */
  @JCStressTest
  @Outcome(id = "wrote, took, exact fresh zeros", expect = ACCEPTABLE, desc = "written, then taken")
  @Outcome(id = "refused, took, exact fresh zeros", expect = ACCEPTABLE, desc = "stopped before")
  @Outcome(id = "wrote, left, exact kept new", expect = ACCEPTABLE, desc = "the scan met a lock")
  @Outcome(id = ".*, .*, strays.*", expect = FORBIDDEN, desc = "memory nobody accounts for")
  @Outcome(
      id = ".*, .*, .* fresh (old|new)",
      expect = FORBIDDEN,
      desc = "old bytes after a reclaim")
  @Outcome(expect = FORBIDDEN, desc = "no order explains it")
  @State
  public static class WriteStopScan {
    private static final StressRange.Pool POOL = new StressRange.Pool(1, UNLIMITED);
    private final StressRange page = POOL.claim().used(0, 1);

    /** The writer. */
    @Actor
    public void write(LLL_Result result) {
      result.r1 = page.write(0, StressRange.NEW);
    }

    /** Its own thread that stops too early, and the shrinker. */
    @Actor
    public void stopAndScan(LLL_Result result) {
      page.range.stopUsingRange(0, 1);
      result.r2 = page.scan(1);
    }

    /** At rest, and the next use. */
    @Arbiter
    public void rest(LLL_Result result) {
      page.stillMine();
      result.r3 = page.audit() + " " + page.use(0, 1) + " " + page.read(0);
    }
  }

  /**
   * A use of two pages that must fail (there is budget for one), against a second user of the page
   * that the first has to allocate.
   *
   * <p>The first reclaims page 0 to get room, allocates page 1, finds no room for page 0, and takes
   * back what it allocated. The bug it would show: it takes page 1 back from the second user, who
   * made it USED in between.
   */
  @JCStressTest
  @Outcome(id = "refused, fresh, used new", expect = ACCEPTABLE, desc = "the second user keeps it")
  @Outcome(id = "refused, refused, .*", expect = ACCEPTABLE, desc = "no room at that moment")
  @Outcome(id = "(kept|fresh), .*, .*", expect = FORBIDDEN, desc = "more pages than the budget has")
  @Outcome(
      id = "refused, (kept|fresh), .*",
      expect = FORBIDDEN,
      desc = "a failed use took a page from a second user")
  @Outcome(expect = FORBIDDEN, desc = "no order explains it")
  @State
  public static class FailedUseAndUserOfFreshPage {
    private static final StressRange.Pool POOL = new StressRange.Pool(2, 1);
    private final StressRange pages = POOL.claim().available(0, 1);

    /** The user who asks for too much. */
    @Actor
    public void useBoth(LLL_Result result) {
      result.r1 = pages.use(0, 2);
    }

    /** The second user. */
    @Actor
    public void useOne(LLL_Result result) {
      String used = pages.use(1, 2);
      if (!used.equals("refused")) {
        pages.write(1, StressRange.NEW);
      }
      result.r2 = used;
    }

    /** At rest. */
    @Arbiter
    public void rest(LLL_Result result) {
      pages.stillMine();
      String audit = pages.audit();
      result.r3 = audit.equals("exact") ? pages.look(1) : audit;
      if ("refused".equals(result.r2) && !audit.equals("exact")) {
        result.r2 = "fresh"; // never right
      }
    }
  }

  /**
   * A use of two pages that must fail, against a second user of the page that is warm.
   *
   * <p>The bug it would show: the first makes page 0 USED, finds no memory for page 1, and gives
   * page 0 back, or reclaims it, while the second user relies on it.
   */
  @JCStressTest
  @Outcome(id = "refused, kept, used new", expect = ACCEPTABLE, desc = "the second user keeps it")
  @Outcome(id = "refused, fresh, used new", expect = ACCEPTABLE, desc = "after it was reclaimed")
  @Outcome(id = "refused, refused, .*", expect = ACCEPTABLE, desc = "no room at that moment")
  @Outcome(id = "(kept|fresh), .*, .*", expect = FORBIDDEN, desc = "more pages than the budget has")
  @Outcome(
      id = "refused, (kept|fresh), .*",
      expect = FORBIDDEN,
      desc = "a failed use took a page from a second user")
  @Outcome(expect = FORBIDDEN, desc = "no order explains it")
  @State
  public static class FailedUseAndUserOfWarmPage {
    private static final StressRange.Pool POOL = new StressRange.Pool(2, 1);
    private final StressRange pages = POOL.claim().available(0, 1);

    /** The user who asks for too much. */
    @Actor
    public void useBoth(LLL_Result result) {
      result.r1 = pages.use(0, 2);
    }

    /** The second user. */
    @Actor
    public void useOne(LLL_Result result) {
      String used = pages.use(0, 1);
      if (!used.equals("refused")) {
        pages.write(0, StressRange.NEW);
      }
      result.r2 = used;
    }

    /** At rest. */
    @Arbiter
    public void rest(LLL_Result result) {
      pages.stillMine();
      String audit = pages.audit();
      result.r3 = audit.equals("exact") ? pages.look(0) : audit;
      if ("refused".equals(result.r2) && !audit.equals("exact")) {
        result.r2 = "fresh"; // never right
      }
    }
  }

  /**
   * Two first uses of one page.
   *
   * <p>The bug it would show: two allocations and two charges for one page, or nobody who is told
   * that its bytes are gone.
   */
  @JCStressTest
  @Outcome(
      id = {"fresh, fresh, 1 exact", "fresh, kept, 1 exact", "kept, fresh, 1 exact"},
      expect = ACCEPTABLE,
      desc = "one allocation, and somebody knows")
  @Outcome(id = "kept, kept, .*", expect = FORBIDDEN, desc = "nobody was told of the zeros")
  @Outcome(expect = FORBIDDEN, desc = "not one allocation, or not one charge")
  @State
  public static class TwoFirstUses {
    private static final StressRange.Pool POOL = new StressRange.Pool(1, UNLIMITED);
    private final StressRange page = POOL.claim();
    private final long allocatedBefore = page.shrinker.counters().allocated();

    /** One user. */
    @Actor
    public void useOne(LLL_Result result) {
      result.r1 = page.use(0, 1);
    }

    /** The other user. */
    @Actor
    public void useTwo(LLL_Result result) {
      result.r2 = page.use(0, 1);
    }

    /** At rest. */
    @Arbiter
    public void rest(LLL_Result result) {
      page.stillMine();
      result.r3 = (page.shrinker.counters().allocated() - allocatedBefore) + " " + page.audit();
    }
  }

  /**
   * A use against a stop of one USED page, and what the counters make of it.
   *
   * <p>The bug it would show: half of each, a count lost between threads, or bytes lost.
   */
  @JCStressTest
  @Outcome(id = "stopped 1 reused 0, AVAILABLE", expect = ACCEPTABLE, desc = "use, then stop")
  @Outcome(id = "stopped 1 reused 1, used old", expect = ACCEPTABLE, desc = "stop, then use")
  @Outcome(expect = FORBIDDEN, desc = "neither order explains it")
  @State
  public static class UseStop {
    private static final StressRange.Pool POOL = new StressRange.Pool(1, UNLIMITED);
    private final StressRange page = POOL.claim().used(0, 1);
    private final long stoppedBefore = page.shrinker.counters().stopped();
    private final long reusedBefore = page.shrinker.counters().reused();

    /** The user. */
    @Actor
    public void use() {
      page.range.useRange(0, 1);
    }

    /** Who stops. */
    @Actor
    public void stop() {
      page.range.stopUsingRange(0, 1);
    }

    /** At rest. */
    @Arbiter
    public void rest(LL_Result result) {
      page.stillMine();
      PageCounters counters = page.shrinker.counters();
      result.r1 =
          "stopped "
              + (counters.stopped() - stoppedBefore)
              + " reused "
              + (counters.reused() - reusedBefore);
      result.r2 = page.look(0);
    }
  }
}
