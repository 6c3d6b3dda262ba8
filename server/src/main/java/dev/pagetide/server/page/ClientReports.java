package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.shm.ClientCounts;
import dev.pagetide.shm.SharedFileHeader;
import java.util.HashMap;
import java.util.Map;

/**
 * The counts that clients report of their own actions, summed over all ranges since the server
 * started. Only values that can be true are included.
 *
 * <p>Thread-safe. No sum ever falls, whatever a client writes and whichever range ends.
 */
/*
 * A client may write any number into its header at any time. For each counter the server keeps the
 * largest value that it believed. It believes a value if an honest client could have reached it: at
 * most one page for each nanosecond since its range was registered, which is ten times what one
 * thread can do. So a counter that falls or jumps subtracts nothing and adds nothing twice, and a
 * range adds at most its age, which fills 63 bits in 292 years. A value that is not believed is
 * ignored, not cut to the largest believable one, so one wild value leaves no trace.
 *
 * LOCKS: the monitor is a leaf, held over reads of mapped headers; no thread waits for anything
 * under it. A header is read inside an entry, or by the thread that closes the range, which has
 * shut the entries. So a range that is closing counts with the last believed values until the
 * closing thread has read its header for the last time.
 */
public final class ClientReports {
  private static final ClientCounts NONE = new ClientCounts(0, 0, 0, 0);

  private final PageClock clock;

  @GuardedBy("this")
  private final Map<ShrinkablePageRange, Report> live = new HashMap<>();

  @GuardedBy("this")
  private ClientCounts ended = NONE;

  /** No reports yet. {@code clock} gives the age of ranges. */
  ClientReports(PageClock clock) {
    this.clock = clock;
  }

  /** The values that one range's client has reported so far. */
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

  /** Registers a range. */
  synchronized void add(ShrinkablePageRange range) {
    live.put(range, new Report(clock.nanos()));
  }

  /**
   * Reads a range's header for the last time. Its entries are shut, no thread is inside, and its
   * file is still mapped.
   */
  synchronized void end(ShrinkablePageRange range) {
    Report report = live.remove(range);
    if (report != null) {
      report.hear(said(range), clock.nanos());
      ended = sum(ended, report.believed);
    }
  }

  /** The sums as of now. Reads every range's header. */
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

  /** The sum of two numbers that are not negative; {@link Long#MAX_VALUE} if it would overflow. */
  private static long sum(long a, long b) {
    return a > Long.MAX_VALUE - b ? Long.MAX_VALUE : a + b;
  }
}
