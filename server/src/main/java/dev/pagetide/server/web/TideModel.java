package dev.pagetide.server.web;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.gson.stream.JsonWriter;
import dev.pagetide.server.page.PageBudget;
import dev.pagetide.server.page.PageClock;
import dev.pagetide.server.page.PageCounters;
import dev.pagetide.server.page.PageSnapshot;
import dev.pagetide.server.page.ReclaimTrigger;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.pressure.PressureKind;
import dev.pagetide.server.pressure.PressureLevel;
import dev.pagetide.server.pressure.PressureLevels;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionRegistry;
import java.io.IOException;
import java.io.StringWriter;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What the tide map tells: a round of looks at all ranges, now and then, and for each watcher what
 * changed since the last it was told.
 *
 * <p>Thread-safe. It has no thread: the watcher who finds the last round old takes the next one.
 * Nobody watching, nothing is computed and nothing is kept.
 */
/*
 * Every change of a range takes the next version, and the range goes to the end of the line: so the
 * sketches, in order, are a log of changes with the outdated ones left out. A watcher is a position
 * in that log. Who does not read for a minute costs one number, and is told in one go what is
 * different now; what does not fit into one frame is in the next one, for the position is that of
 * the last change told.
 *
 * After a round, rest at least REST_FACTOR times as long as round and frames took: the map costs
 * less than 2 % of a core, sending included, however many pages there are. It is then slower, not
 * dearer.
 */
final class TideModel {
  /** Four rounds a second at most. */
  static final long MIN_ROUND_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  private static final long REST_FACTOR = 64;

  /** How often it is asked how long pages have been USED. */
  private static final int ROUNDS_BETWEEN_AGES = 8;

  /** Ranges that are shown page by page: more are no picture, and too much for a browser. */
  static final int MAX_SHOWN = 512;

  /** A frame ends with the range that makes it longer than this; the next one goes on. */
  private static final int FRAME_CHARS = 1 << 20;

  private final SessionRegistry sessions;
  private final Shrinker shrinker;
  private final PageBudget budget;
  private final @Nullable PressureLevels pressure;
  private final PageClock clock;
  private final long epochNanos;

  /** LOCKS: a leaf, held for one round and while one frame is made; never while one is sent. */
  private final ReentrantLock lock = new ReentrantLock();

  /** Nobody signals it: those who wait for the next round wait on it for the time that is left. */
  private final Condition roundDue = lock.newCondition();

  /** By range id, in the order of their versions. */
  @GuardedBy("lock")
  private final LinkedHashMap<Long, RangeSketch> sketches = new LinkedHashMap<>();

  @GuardedBy("lock")
  private final PageSnapshot pages = new PageSnapshot();

  @GuardedBy("lock")
  private final PageRuns runs = new PageRuns();

  @GuardedBy("lock")
  private int watchers;

  @GuardedBy("lock")
  private long lastVersion;

  /** The version at which a range came or went last. */
  @GuardedBy("lock")
  private long membershipVersion;

  @GuardedBy("lock")
  private long round;

  @GuardedBy("lock")
  private long nextRoundNanos;

  /** What the last round took, and the frames of the one before. */
  @GuardedBy("lock")
  private long lastCostNanos;

  /** What the frames of the last round took. */
  @GuardedBy("lock")
  private long frameNanos;

  /**
   * A model that nobody watches.
   *
   * @param pressure null where the host's pressure is not listened to
   */
  TideModel(
      SessionRegistry sessions,
      Shrinker shrinker,
      PageBudget budget,
      @Nullable PressureLevels pressure) {
    this.sessions = sessions;
    this.shrinker = shrinker;
    this.budget = budget;
    this.pressure = pressure;
    this.clock = shrinker.clock();
    this.epochNanos = clock.nanos();
    this.nextRoundNanos = epochNanos;
  }

  /** One watcher's place in what is told. For the watcher's thread. */
  final class Place implements AutoCloseable {
    private long knownRound;
    private long knownVersion;

    private Place(long knownRound) {
      this.knownRound = knownRound;
    }

    /** Waits for the next round, and tells what it changed: one JSON object, without line ends. */
    String next() throws IOException, InterruptedException {
      lock.lockInterruptibly();
      try {
        while (knownRound == round) {
          long restNanos = nextRoundNanos - clock.nanos();
          if (restNanos <= 0) {
            takeRound();
          } else {
            long _ = roundDue.awaitNanos(restNanos);
          }
        }
        knownRound = round;
        long start = clock.nanos();
        String frame = frame(this);
        frameNanos += clock.nanos() - start;
        return frame;
      } finally {
        lock.unlock();
      }
    }

    /** Leaves. Who leaves last takes everything along. */
    @Override
    public void close() {
      lock.lock();
      try {
        watchers--;
        if (watchers == 0) {
          sketches.clear();
        }
      } finally {
        lock.unlock();
      }
    }
  }

  /** A place at the beginning: the first frame tells everything. */
  Place join() {
    lock.lock();
    try {
      watchers++;
      return new Place(round);
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void takeRound() {
    long start = clock.nanos();
    Set<Long> gone = new HashSet<>(sketches.keySet());
    Iterator<Session> live = sessions.sessionsAfter(0).iterator();
    for (int shown = 0; shown < MAX_SHOWN && live.hasNext(); ) {
      Session session = live.next();
      // Of a range that is new, at once.
      boolean withAges = round % ROUNDS_BETWEEN_AGES == 0 || !gone.contains(session.rangeId());
      if (pages.take(session.range(), withAges)) {
        runs.encode(pages, epochNanos);
        update(session, withAges);
        gone.remove(session.rangeId());
        shown++;
      }
    }
    if (!gone.isEmpty()) {
      sketches.keySet().removeAll(gone);
      membershipVersion = ++lastVersion;
    }
    round++;
    long end = clock.nanos();
    long cost = end - start + frameNanos;
    // The lesser of two: a round during which this thread was not run seems dear, and was not.
    long rest = Math.min(cost, lastCostNanos) * REST_FACTOR;
    nextRoundNanos = Math.max(start + MIN_ROUND_NANOS, end + rest);
    lastCostNanos = cost;
    frameNanos = 0;
  }

  @GuardedBy("lock")
  private void update(Session session, boolean withAges) {
    RangeSketch sketch = sketches.get(session.rangeId());
    if (sketch == null) {
      membershipVersion = ++lastVersion;
      sketch = new RangeSketch(session, membershipVersion);
    }
    if (sketch.take(runs, withAges)) {
      sketch.changed(++lastVersion);
      sketches.putLast(session.rangeId(), sketch);
    }
  }

  @GuardedBy("lock")
  private String frame(Place place) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      json.setHtmlSafe(true); // of names: should a frame ever be shown as it is
      json.beginObject();
      json.name("now").value(TimeUnit.NANOSECONDS.toMillis(clock.nanos() - epochNanos));
      tellTotals(json);
      if (membershipVersion > place.knownVersion) {
        json.name("live").beginArray();
        for (long id : sketches.keySet().stream().sorted().toList()) {
          json.value(id);
        }
        json.endArray();
      }
      boolean more = tellChanged(json, place, text.getBuffer());
      json.name("more").value(more).endObject();
    }
    return text.toString();
  }

  /** Tells what changed, as much as fits into {@code text}; whether there is more. */
  @GuardedBy("lock")
  private boolean tellChanged(JsonWriter json, Place place, CharSequence text) throws IOException {
    Deque<RangeSketch> changed = new ArrayDeque<>();
    for (RangeSketch sketch : sketches.sequencedValues().reversed()) {
      if (sketch.version() <= place.knownVersion) {
        break;
      }
      changed.push(sketch);
    }
    json.name("ranges").beginArray();
    long told = place.knownVersion;
    while (!changed.isEmpty() && text.length() < FRAME_CHARS) {
      RangeSketch sketch = changed.pop();
      sketch.tell(json, place.knownVersion);
      told = sketch.version();
    }
    json.endArray();
    place.knownVersion = changed.isEmpty() ? lastVersion : told;
    return !changed.isEmpty();
  }

  @GuardedBy("lock")
  private void tellTotals(JsonWriter json) throws IOException {
    long available = 0;
    long used = 0;
    long pageCount = 0;
    for (RangeSketch sketch : sketches.values()) {
      available += sketch.available();
      used += sketch.used();
      pageCount += sketch.pageCount();
    }
    PageCounters counters = shrinker.counters();
    json.name("totals").beginObject();
    json.name("sessions").value(sessions.size());
    json.name("shown").value(sketches.size());
    json.name("pages").value(pageCount);
    json.name("available").value(available);
    json.name("used").value(used);
    json.name("resident").value(budget.chargedPages());
    json.name("budget").value(budget.limitPages());
    json.name("low").value(shrinker.terms().lowWatermarkPages());
    json.name("high").value(shrinker.terms().highWatermarkPages());
    json.name("waiting").value(shrinker.waitingLine().size());
    json.name("allocated").value(counters.allocated());
    json.name("closed").value(counters.closed());
    json.name("strays").value(counters.strays());
    json.name("reclaimed").beginObject();
    for (ReclaimTrigger trigger : ReclaimTrigger.values()) {
      if (counters.reclaimed(trigger) > 0) {
        json.name(trigger.name().toLowerCase(Locale.ROOT)).value(counters.reclaimed(trigger));
      }
    }
    json.endObject();
    if (pressure != null) {
      json.name("pressure").beginObject();
      for (Map.Entry<PressureKind, PressureLevel> source : pressure.now().entrySet()) {
        json.name(source.getKey().name().toLowerCase(Locale.ROOT));
        json.value(source.getValue().number());
      }
      json.endObject();
    }
    json.endObject();
  }
}
