package dev.pagetide.server.page;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Keeps reservations away from the host's edge: what is reserved and not yet given counts as in
 * use.
 *
 * <p>Thread-safe, without locks. The host is asked at most once a millisecond while it has room.
 */
/*
 * A reservation adds itself to `pending` first, then to the charge, and only then asks. So whatever
 * reading it is compared with, fresh or up to a millisecond old, every page that was reserved before
 * is in it: as use, as pending, or in the charge's rise since. Two that overshoot together may both
 * see it, and both step back; never neither.
 *
 * RACE: others in the same control group may use more in that millisecond. The reserve is for them.
 */
final class EdgeGuard {
  private static final long GOOD_FOR_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  private final HostEdge edge;
  private final PageBudget server;
  private final PageClock clock;

  /** Pages reserved that have not been given memory yet. */
  private final AtomicLong pending = new AtomicLong();

  private volatile @Nullable Reading last;

  /** The room there was, all reservations of that moment taken off, and the charge then. */
  private record Reading(long roomPages, long chargedPages, long atNanos) {}

  EdgeGuard(HostEdge edge, PageBudget server, PageClock clock) {
    this.edge = edge;
    this.server = server;
    this.clock = clock;
  }

  /** Pages are about to be charged. */
  void reserving(long pages) {
    pending.addAndGet(pages);
  }

  /**
   * Pages that were to be charged have memory now, and show in the host's own figures, or won't.
   */
  void settled(long pages) {
    pending.addAndGet(-pages);
  }

  /** How many pages too many are reserved, the caller's own included; 0 if the host has room. */
  long overshoot() {
    if (edge.equals(HostEdge.NONE)) {
      return 0;
    }
    Reading reading = last;
    long now = clock.nanos();
    if (reading != null && now - reading.atNanos < GOOD_FOR_NANOS) {
      long room = reading.roomPages - (server.chargedPages() - reading.chargedPages);
      if (room >= 0) {
        return 0;
      }
    }
    // The charge before the host's figures: what rises between counts twice, not never.
    long charged = server.chargedPages();
    long reserved = pending.get();
    long host = edge.roomPages();
    long room = host == Long.MAX_VALUE ? Long.MAX_VALUE / 2 : host - reserved;
    last = new Reading(room, charged, now);
    return Math.max(0, -room);
  }

  String describe() {
    return edge.describe();
  }
}
