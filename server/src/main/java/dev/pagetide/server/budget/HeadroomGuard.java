package dev.pagetide.server.budget;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Keeps reservations within the host's headroom: pages that are reserved and not yet given memory
 * count as in use.
 *
 * <p>Thread-safe, without locks. It reads the host's figures at most once a millisecond while there
 * is room.
 */
/*
 * A reservation is added to `pending`, then to `reservedEver`, and only then compared with a
 * reading. The reading may be fresh or up to a millisecond old. A reading takes reservedEver, then
 * pending, then the host's figures. So a page that was reserved before the reading is in it: as
 * pending or, if it was given memory meanwhile, in the host's use. A page that was reserved after
 * the reading is in the rise of reservedEver. A page may count twice, but is never missed. And if
 * two reservations overshoot together, the later one sees both.
 *
 * A charge that was taken back since the reading is not in it, and must not be. The reason: a page
 * is punched before its charge falls. So the host's figures may already show memory as free whose
 * charge has not fallen yet. If the fall of the charge were added to those figures, that page would
 * count twice. A caller that finds too little room takes a new reading.
 *
 * RACE: other processes in the same control group may use more in that millisecond. The reserve is
 * there for them.
 */
final class HeadroomGuard {
  private static final long GOOD_FOR_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  private final HostHeadroom headroom;
  private final PageClock clock;

  /** Pages that are reserved and have not been given memory yet. */
  private final AtomicLong pending = new AtomicLong();

  /** Pages reserved since the start, including those given back. It only rises. */
  private final AtomicLong reservedEver = new AtomicLong();

  private volatile @Nullable Reading last;

  /** The room at one moment, after all reservations of that moment were subtracted. */
  private record Reading(long roomPages, long reservedEver, long atNanos) {}

  HeadroomGuard(HostHeadroom headroom, PageClock clock) {
    this.headroom = headroom;
    this.clock = clock;
  }

  /** Counts pages that were charged and have no memory yet. */
  void reserving(long pages) {
    pending.addAndGet(pages); // before reservedEver: see above
    reservedEver.addAndGet(pages);
  }

  /**
   * Counts pages that are not pending any more: they have memory now, which the host's own figures
   * show, or they will never have any.
   */
  void settled(long pages) {
    pending.addAndGet(-pages);
  }

  /** The number of pages that can still be reserved, by a fresh reading. */
  long roomPages() {
    return headroom.equals(HostHeadroom.NONE) ? Long.MAX_VALUE : read().roomPages;
  }

  /**
   * By how many pages the reservations exceed the room, those of the caller included; 0 if they do
   * not.
   */
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
