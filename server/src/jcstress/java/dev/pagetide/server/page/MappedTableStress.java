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

/**
 * A client that takes its edges itself, through a mapping of its own, against the server's shrinker
 * on the real range: the same memory at two addresses, as in two processes.
 */
@Promise(14)
public final class MappedTableStress {
  /** Some microseconds: half of that time the page is AVAILABLE, by another stamp each time. */
  private static final int ROUNDS = 64;

  private MappedTableStress() {}

  /**
   * A client's use, and its write through the mapping, against a scan.
   *
   * <p>The bug it would show: a use and a reclaim that both win, so that what the client wrote is
   * punched after its use had succeeded; or old bytes in a page that was reclaimed.
   */
  @JCStressTest
  @Outcome(id = "kept, old, left, used new new", expect = ACCEPTABLE, desc = "the use won")
  @Outcome(id = "fresh, zeros, took, used new new", expect = ACCEPTABLE, desc = "the reclaim won")
  @Outcome(id = ".*, .*, .*, .*zeros.*", expect = FORBIDDEN, desc = "a write lost to a late punch")
  @Outcome(id = "fresh, old, .*, .*", expect = FORBIDDEN, desc = "old bytes after a reclaim")
  @Outcome(id = "kept, .*, took, .*", expect = FORBIDDEN, desc = "both winners")
  @Outcome(expect = FORBIDDEN, desc = "neither order of the two explains it")
  @State
  public static class ClientUseScan {
    private static final StressRange.Pool POOL = StressRange.Pool.mapped(1);
    private final StressRange page = POOL.claim().available(0, 1);

    /** The client. */
    @Actor
    public void use(LLLL_Result result) {
      result.r1 = page.clientUse(0);
      result.r2 = page.clientRead(0);
      page.clientWrite(0, StressRange.NEW);
    }

    /** The shrinker. */
    @Actor
    public void scan(LLLL_Result result) {
      result.r3 = page.scan(1);
    }

    /** At rest, on both sides. */
    @Arbiter
    public void rest(LLLL_Result result) {
      page.stillMine();
      String audit = page.audit();
      result.r4 = audit.equals("exact") ? page.look(0) + " " + page.clientRead(0) : audit;
    }
  }

  /**
   * A client's write through the mapping and its stop, against a scan; then the next use.
   *
   * <p>The bug it would show: a page that is taken while it is USED, bytes that are lost though the
   * page was not taken, or that are there though it was.
   */
  @JCStressTest
  @Outcome(id = "stopped, took, exact fresh zeros", expect = ACCEPTABLE, desc = "stopped before")
  @Outcome(id = "stopped, left, exact kept new", expect = ACCEPTABLE, desc = "scanned before")
  @Outcome(id = ".*, took, .* kept .*", expect = FORBIDDEN, desc = "both winners")
  @Outcome(id = ".*, .*, .* kept (old|zeros)", expect = FORBIDDEN, desc = "a write lost")
  @Outcome(
      id = ".*, .*, .* fresh (old|new)",
      expect = FORBIDDEN,
      desc = "old bytes after a reclaim")
  @Outcome(expect = FORBIDDEN, desc = "neither order of the two explains it")
  @State
  public static class ClientStopScan {
    private static final StressRange.Pool POOL = StressRange.Pool.mapped(1);
    private final StressRange page = POOL.claim().used(0, 1);

    /** The client. */
    @Actor
    public void stop(LLL_Result result) {
      page.clientWrite(0, StressRange.NEW);
      result.r1 = page.clientStop(0);
    }

    /** The shrinker. */
    @Actor
    public void scan(LLL_Result result) {
      result.r2 = page.scan(1);
    }

    /** At rest, and the client's next use. */
    @Arbiter
    public void rest(LLL_Result result) {
      page.stillMine();
      result.r3 = page.audit() + " " + page.clientUse(0) + " " + page.clientRead(0);
    }
  }

  /**
   * A client's use, and again and again its stop and use, between the shrinker's read of the word
   * and its compare-and-set.
   *
   * <p>The bug it would show: a reclaim by the state of the word alone, without its stamp, takes a
   * page that has been used since it was chosen.
   */
  @JCStressTest
  @Outcome(id = "kept, kept, left, used new", expect = ACCEPTABLE, desc = "the word had changed")
  @Outcome(id = "fresh, kept, took, used new", expect = ACCEPTABLE, desc = "taken before the first")
  @Outcome(id = "kept, fresh, took, .*", expect = FORBIDDEN, desc = "taken by a stamp it had lost")
  @Outcome(id = ".*, .*, .*, used zeros", expect = FORBIDDEN, desc = "a write lost to a late punch")
  @Outcome(expect = FORBIDDEN, desc = "no order explains it")
  @State
  public static class ClientRoundReclaimChosen {
    private static final StressRange.Pool POOL = StressRange.Pool.mapped(1);
    private final StressRange page = POOL.claim().available(0, 1);
    private final long chosen = page.word(0);

    /** The client. */
    @Actor
    public void round(LLLL_Result result) {
      result.r1 = page.clientUse(0);
      result.r2 = page.clientRounds(0, ROUNDS);
      page.clientWrite(0, StressRange.NEW);
    }

    /** The shrinker, past its choice. */
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
   * The same with a whole scan, which finds the page queued by a sweep that came before: page 1 is
   * the next in the queue, and page 0 stands behind it.
   *
   * <p>The bug it would show: as above, and a scan that counts a page it did not get.
   */
  @JCStressTest
  @Outcome(
      id = "kept, kept, took, used new FREE",
      expect = ACCEPTABLE,
      desc = "page 1 had changed, and the scan went on to page 0")
  @Outcome(
      id = "fresh, kept, took, used new AVAILABLE",
      expect = ACCEPTABLE,
      desc = "page 1 was taken before the first use")
  @Outcome(id = "kept, fresh, .*, .*", expect = FORBIDDEN, desc = "taken by a stamp it had lost")
  @Outcome(
      id = ".*, .*, .*, used zeros .*",
      expect = FORBIDDEN,
      desc = "a write lost to a late punch")
  @Outcome(expect = FORBIDDEN, desc = "no order explains it")
  @State
  public static class ClientRoundScanQueued {
    private static final StressRange.Pool POOL = StressRange.Pool.mapped(3);
    private final StressRange pages = POOL.claim().available(0, 3).queued(2);

    /** The client. */
    @Actor
    public void round(LLLL_Result result) {
      result.r1 = pages.clientUse(1);
      result.r2 = pages.clientRounds(1, ROUNDS);
      pages.clientWrite(1, StressRange.NEW);
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
      result.r4 = audit.equals("exact") ? pages.look(1) + " " + pages.look(0) : audit;
    }
  }
}
