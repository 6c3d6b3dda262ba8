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
 * How many pages a stall of the host's tasks is worth. Pure: time, totals and what is AVAILABLE
 * come in.
 *
 * <p>A stall tells that memory is short but not how short, so a first trigger takes a small share,
 * and each further one twice the share before (its priority falls by one, to 0 at the least: all),
 * unless the stall is falling: then what was taken helps, or the load has gone, and nothing is
 * taken. After a quiet time a trigger begins at its small share again.
 */
final class StallPolicy {
  /** Five windows without a trigger: it fires once a window as long as the stall lasts. */
  static final long COOL_DOWN_NANOS = Duration.ofSeconds(10).toNanos();

  /** The kernel's SWAP_CLUSTER_MAX: a share of less is not worth the walk. */
  static final long MIN_PAGES = 32;

  /** A stall falls if it is less than this many eighths of the one before: else it may be noise. */
  private static final int FALLING_EIGHTHS = 7;

  /** Where one trigger is on its way from its first event to its last. */
  private static final class Episode {
    private int priority;
    private long lastNanos;
    private long lastStallMicros;
  }

  private record Sample(long nanos, StallTotals totals) {}

  private final Map<StallTrigger, Episode> live = new EnumMap<>(StallTrigger.class);

  /** The totals over one window, the oldest first: one at its beginning, or the first of all. */
  private final Deque<Sample> samples = new ArrayDeque<>();

  /** Takes note of the totals, a few times in each window; episodes that were quiet end. */
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

  /** How hard the stall presses: as the worst trigger that fired of late. */
  PressureLevel level() {
    PressureLevel level = PressureLevel.NONE;
    for (StallTrigger trigger : live.keySet()) {
      level = trigger.level(); // in the order of the enum: the worst comes last
    }
    return level;
  }

  /**
   * Triggers fired; the totals of this moment were {@linkplain #sample noted}.
   *
   * @param availablePages how many pages could be taken; asked at most once
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

  /** Takes note of a trigger's event, and tells whether it asks for pages. */
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

  /** The stall within the last window, as far back as there are samples. */
  private long stallMicros(StallTrigger trigger) {
    return samples.getLast().totals().of(trigger) - samples.getFirst().totals().of(trigger);
  }
}
