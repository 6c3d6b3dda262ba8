package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.shm.ClientCounts;
import dev.pagetide.shm.SharedFileHeader;
import java.util.HashMap;
import java.util.Map;

/**
 * What clients say they have counted themselves, summed over all ranges there ever were: as much of
 * it as can be true.
 *
 * <p>Thread-safe. No sum ever falls, whatever a client writes and whichever range ends.
 */
/*
 * A client may write any number into its header at any time. Of each counter the largest value is
 * kept that was believed, and a value is believed if an honest client could have got there: at most
 * one page for each nanosecond since its range was registered, ten times what one thread can do. So
 * a counter that falls or jumps about subtracts nothing and adds nothing twice, and a range adds at
 * most its age, which fills 63 bits in 292 years. A value that is not believed is passed over, not
 * cut to what would be: one wild value leaves no trace.
 *
 * LOCKS: the monitor is a leaf, held over reads of mapped headers; nobody waits for anything under
 * it. A header is read inside an entry, or by the range's closer, who has shut the entries; so a
 * range that is closing counts with what was believed last until its closer has read it for good.
 */
public final class ClientReports {
  private static final ClientCounts NONE = new ClientCounts(0, 0, 0, 0);

  private final PageClock clock;

  @GuardedBy("this")
  private final Map<ShrinkablePageRange, Report> live = new HashMap<>();

  @GuardedBy("this")
  private ClientCounts ended = NONE;

  /** No reports yet; {@code clock} tells how old ranges are. */
  ClientReports(PageClock clock) {
    this.clock = clock;
  }

  /** What one range's client has said so far. */
  private static final class Report {
    private final long registeredNanos;
    private ClientCounts believed = NONE;

    Report(long registeredNanos) {
      this.registeredNanos = registeredNanos;
    }

    void hear(ClientCounts said, long nowNanos) {
      long most = nowNanos - registeredNanos;
      believed =
          new ClientCounts(
              larger(believed.uses(), said.uses(), most),
              larger(believed.stops(), said.stops(), most),
              larger(believed.reuses(), said.reuses(), most),
              larger(believed.failures(), said.failures(), most));
    }

    private static long larger(long believed, long said, long most) {
      return said > believed && said <= most ? said : believed;
    }
  }

  /** A range was registered. */
  synchronized void add(ShrinkablePageRange range) {
    live.put(range, new Report(clock.nanos()));
  }

  /** A range ends: its entries are shut, nobody is inside, and its file is still mapped. */
  synchronized void end(ShrinkablePageRange range) {
    Report report = live.remove(range);
    if (report != null) {
      report.hear(said(range), clock.nanos());
      ended = sum(ended, report.believed);
    }
  }

  /** The sums as of now; reads every range's header. */
  public synchronized ClientCounts totals() {
    ClientCounts totals = ended;
    for (Map.Entry<ShrinkablePageRange, Report> entry : live.entrySet()) {
      ShrinkablePageRange range = entry.getKey();
      Report report = entry.getValue();
      if (range.entries().tryEnter()) {
        try {
          report.hear(said(range), clock.nanos());
        } finally {
          range.entries().leave();
        }
      }
      totals = sum(totals, report.believed);
    }
    return totals;
  }

  private static ClientCounts said(ShrinkablePageRange range) {
    return new SharedFileHeader(range.file().header()).clientCounts();
  }

  private static ClientCounts sum(ClientCounts a, ClientCounts b) {
    return new ClientCounts(
        sum(a.uses(), b.uses()),
        sum(a.stops(), b.stops()),
        sum(a.reuses(), b.reuses()),
        sum(a.failures(), b.failures()));
  }

  /** Of two numbers that are not negative; stays at the largest there is. */
  private static long sum(long a, long b) {
    return a > Long.MAX_VALUE - b ? Long.MAX_VALUE : a + b;
  }
}
