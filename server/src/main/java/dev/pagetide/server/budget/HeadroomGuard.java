package dev.pagetide.server.budget;

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
 * A reservation is added to `pending`, then to `reservedEver`, and only then compared with a
 * reading, fresh or up to a millisecond old. A reading takes reservedEver, then pending, then the
 * host's figures. So a page that was reserved before the reading is in it as pending or, if it was
 * given memory meanwhile, in the host's use; and one reserved since is in the rise of reservedEver.
 * It may count twice, never not at all; and of two that overshoot together the later one sees both.
 *
 * What was taken back since the reading is not in it, and must not be: a page is punched before its
 * charge falls, so the host's figures may show already what the charge does not, and to add the
 * fall of the charge to them would count that page twice. A caller that finds too little room takes
 * a new reading.
 *
 * RACE: others in the same control group may use more in that millisecond. The reserve is for them.
 */
final class HeadroomGuard {
  private static final long GOOD_FOR_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  private final HostHeadroom headroom;
  private final PageClock clock;

  /** Pages reserved that have not been given memory yet. */
  private final AtomicLong pending = new AtomicLong();

  /** Pages reserved since the start, those given back included: it only rises. */
  private final AtomicLong reservedEver = new AtomicLong();

  private volatile @Nullable Reading last;

  /** The room there was, all reservations of that moment taken off. */
  private record Reading(long roomPages, long reservedEver, long atNanos) {}

  HeadroomGuard(HostHeadroom headroom, PageClock clock) {
    this.headroom = headroom;
    this.clock = clock;
  }

  /** Pages were charged, and have no memory yet. */
  void reserving(long pages) {
    pending.addAndGet(pages); // before the other: see above
    reservedEver.addAndGet(pages);
  }

  /** Pages that were charged have memory now, which the host's own figures show; or never will. */
  void settled(long pages) {
    pending.addAndGet(-pages);
  }

  /** How many pages can be reserved still; by a fresh reading. */
  long roomPages() {
    return headroom.equals(HostHeadroom.NONE) ? Long.MAX_VALUE : read().roomPages;
  }

  /** How many pages too many are reserved, the caller's own included; 0 if the host has room. */
  long overshoot() {
    if (headroom.equals(HostHeadroom.NONE)) {
      return 0;
    }
    Reading reading = last;
    long now = clock.nanos();
    if (reading != null
        && now - reading.atNanos < GOOD_FOR_NANOS
        && reading.roomPages >= reservedEver.get() - reading.reservedEver) {
      return 0;
    }
    return Math.max(0, -read().roomPages);
  }

  private Reading read() {
    long now = clock.nanos();
    long ever = reservedEver.get();
    long reserved = pending.get();
    long host = headroom.roomPages();
    long room = host == Long.MAX_VALUE ? Long.MAX_VALUE / 2 : host - reserved;
    Reading reading = new Reading(room, ever, now);
    last = reading;
    return reading;
  }

  String describe() {
    return headroom.describe();
  }
}
