package dev.pagetide.server.pressure;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Decides how many pages to reclaim when the host's tasks stall. It does no I/O: the caller passes
 * the time, the totals and the number of AVAILABLE pages.
 *
 * <p>A stall tells that memory is short, but not how short. So the first event of a trigger takes a
 * small share. Each further event takes twice the share before: the priority falls by one, down to
 * 0, which means all pages. But if the stall is falling, the event takes nothing, because then the
 * earlier reclaim helps or the load has gone. After a quiet time a trigger begins with its small
 * share again.
 */
final class StallPolicy {
  /** Five windows, because a trigger fires once in a window for as long as the stall lasts. */
  static final long COOL_DOWN_NANOS = Duration.ofSeconds(10).toNanos();

  /** The kernel's SWAP_CLUSTER_MAX: a smaller share is not worth the walk. */
  static final long MIN_PAGES = 32;

  /**
   * A stall falls if it is less than this many eighths of the one before. A smaller difference may
   * be noise.
   */
  private static final int FALLING_EIGHTHS = 7;

  /** The state of one trigger from its first event to its last. */
  private static final class Episode {
    private int priority;
    private long lastNanos;
    private long lastStallMicros;
  }

  private record Sample(long nanos, StallTotals totals) {}

  private final Map<StallTrigger, Episode> live = new EnumMap<>(StallTrigger.class);

  /** The totals over one window, oldest first. The oldest is from the window's beginning. */
  private final Deque<Sample> samples = new ArrayDeque<>();

  /** Takes the totals, a few times in each window. Ends episodes that were quiet. */
  void sample(long nowNanos, StallTotals totals) {
    samples.addLast(new Sample(nowNanos, totals));
    long windowStart = nowNanos - StallTrigger.WINDOW_NANOS;
    Sample oldest = samples.removeFirst();
    while (!samples.isEmpty() && samples.getFirst().nanos() - windowStart <= 0) {
      oldest = samples.removeFirst();
    }
    samples.addFirst(oldest);
    live.values().removeIf(episode -> nowNanos - episode.lastNanos > COOL_DOWN_NANOS);
  }

  /** The level of pressure: that of the worst trigger that has fired recently. */
  PressureLevel level() {
    PressureLevel level = PressureLevel.NONE;
    for (StallTrigger trigger : live.keySet()) {
      level = trigger.level(); // the triggers are in the order of the enum: the worst comes last
    }
    return level;
  }

  /**
   * Triggers fired. The caller has passed the totals of this moment to {@link #sample}.
   *
   * @param availablePages how many pages could be reclaimed; called at most once
   * @return what to do about it; null for nothing
   */
  @Nullable PressureDecision fired(
      long nowNanos, Set<StallTrigger> fired, LongSupplier availablePages) {
    StallTrigger worst = null;
    int priority = Integer.MAX_VALUE;
    for (StallTrigger trigger : StallTrigger.MILDEST_FIRST) {
      if (fired.contains(trigger) && rises(trigger, nowNanos)) {
        worst = trigger;
        priority = Math.min(priority, episode(trigger).priority);
      }
    }
    if (worst == null) {
      return null;
    }
    long available = availablePages.getAsLong();
    long pages = Math.min(available, Math.max(MIN_PAGES, available >> priority));
    return pages == 0 ? null : new PressureDecision(worst.trigger(), level(), pages);
  }

  private Episode episode(StallTrigger trigger) {
    return live.computeIfAbsent(trigger, _ -> new Episode());
  }

  /** Records an event of a trigger, and returns whether it asks for pages. */
  private boolean rises(StallTrigger trigger, long nowNanos) {
    boolean first = !live.containsKey(trigger);
    Episode episode = episode(trigger);
    long stall = stallMicros(trigger);
    boolean falling = !first && stall < episode.lastStallMicros * FALLING_EIGHTHS / 8;
    if (first) {
      episode.priority = trigger.startPriority();
    } else if (!falling) {
      episode.priority = Math.max(0, episode.priority - 1);
    }
    episode.lastNanos = nowNanos;
    episode.lastStallMicros = stall;
    return !falling;
  }

  /** The stall time within the last window, or since the oldest sample if that is later. */
  private long stallMicros(StallTrigger trigger) {
    return samples.getLast().totals().of(trigger) - samples.getFirst().totals().of(trigger);
  }
}
