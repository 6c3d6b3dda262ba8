package dev.pagetide.server.web;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.gson.stream.JsonWriter;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.page.PageCounts;
import dev.pagetide.server.page.PageSnapshot;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionRegistry;
import java.io.IOException;
import java.io.StringWriter;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What the tide map tells: a round of looks at all ranges, now and then, and for each watcher what
 * changed since the last it was told.
 *
 * <p>Thread-safe. It has no thread: the watchers who find the last round old take the next one.
 * While nobody watches, nothing is computed and nothing is kept.
 */
/*
 * Every change of a range takes the next version, and the range goes to the end of the line: so the
 * sketches, in order, are a log of changes with the outdated ones left out. A watcher is a position
 * in that log, and the set of ranges that it was told of, because a range is told with its name the
 * first time only. (The position alone does not say which: a range that changed before a watcher's
 * first frames reached it lies behind the position then, though it is older than all that was
 * told.) A watcher that does not read for a minute costs no more than that, and is told in one go
 * what is different now. What does not fit into one frame is in the next one, because the position
 * is that of the last change told.
 *
 * A round is taken in slices of SLICE_NANOS, and the lock is free between them: so however many
 * pages there are, each watcher comes to send its heartbeat. The lock is fair because the watcher
 * that takes slices would otherwise always be the one that gets it back.
 *
 * After a round, rest at least REST_FACTOR times as long as round and frames took: the map costs
 * less than 2 % of a core, sending included, however many pages there are. It is then slower, not
 * dearer.
 */
final class MapFeed {
  /** Four rounds a second at most. */
  static final long MIN_ROUND_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  /** A watcher who was told nothing for so long is told that the server lives. */
  static final long HEARTBEAT_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** A slice of a round ends with the range that makes it longer than this. */
  private static final long SLICE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private static final long REST_FACTOR = 64;

  /** How often it is asked how long pages have been USED. */
  private static final int ROUNDS_BETWEEN_AGES = 8;

  /** Ranges that are shown page by page: more are no picture, and too much for a browser. */
  static final int MAX_SHOWN = 512;

  /** A frame ends with the range that makes it longer than this; the next one goes on. */
  private static final int FRAME_CHARS = 1 << 20;

  private final SessionRegistry sessions;
  private final ServerTotals totals;
  private final PageClock clock;
  private final int frameChars;
  private final long epochNanos;

  /** LOCKS: a leaf, held for a slice and while one frame is made; never while one is sent. */
  private final ReentrantLock lock = new ReentrantLock(true);

  /** Nobody signals it: those who wait for the next round wait on it for the time that is left. */
  private final Condition roundDue = lock.newCondition();

  /** By range id, in the order of their versions. */
  @GuardedBy("lock")
  private final LinkedHashMap<Long, RangeView> views = new LinkedHashMap<>();

  /** As large as the largest range that it saw, and so is the next one. */
  @GuardedBy("lock")
  private PageSnapshot pages = new PageSnapshot();

  @GuardedBy("lock")
  private RunLengthEncoder encoder = new RunLengthEncoder();

  @GuardedBy("lock")
  private int watchers;

  @GuardedBy("lock")
  private long lastVersion;

  /** The version at which a range came or went last. */
  @GuardedBy("lock")
  private long membershipVersion;

  /** How many rounds have ended. */
  @GuardedBy("lock")
  private long round;

  /** The round that has begun and not ended. */
  @GuardedBy("lock")
  private @Nullable MapRound underWay;

  /** What the last round counted; null if none has ended since somebody watches. */
  @GuardedBy("lock")
  private @Nullable PageSums counted;

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
   * @param pressure the level of each source of pressure, by its name; null where none is listened
   *     to
   */
  MapFeed(
      SessionRegistry sessions,
      Shrinker shrinker,
      PageBudget budget,
      @Nullable Supplier<Map<String, Integer>> pressure) {
    this(sessions, shrinker, budget, pressure, FRAME_CHARS);
  }

  /** As above, with frames of another length. */
  MapFeed(
      SessionRegistry sessions,
      Shrinker shrinker,
      PageBudget budget,
      @Nullable Supplier<Map<String, Integer>> pressure,
      int frameChars) {
    this.sessions = sessions;
    this.totals = new ServerTotals(sessions, shrinker, budget, pressure);
    this.clock = shrinker.clock();
    this.frameChars = frameChars;
    this.epochNanos = clock.nanos();
    this.nextRoundNanos = epochNanos;
  }

  /** One watcher's place in what is told. For the watcher's thread. */
  final class Place implements AutoCloseable {
    private long knownRound;
    private long knownVersion;

    /** The ranges it was told of, as far as it was not told that they have gone. */
    private final Set<Long> known = new HashSet<>();

    private Place(long knownRound) {
      this.knownRound = knownRound;
    }

    /**
     * Waits for the next round, and tells what it changed: one JSON object, without line ends.
     *
     * @return null if there was nothing to tell for {@link #HEARTBEAT_NANOS}
     */
    @Nullable String next() throws IOException, InterruptedException {
      long heartbeatNanos = clock.nanos() + HEARTBEAT_NANOS;
      while (true) {
        lock.lockInterruptibly();
        try {
          long now = clock.nanos();
          long restNanos = nextRoundNanos - now;
          if (knownRound != round) {
            return tell();
          } else if (now >= heartbeatNanos) {
            return null;
          } else if (restNanos <= 0) {
            takeSlice(now);
          } else {
            long _ = roundDue.awaitNanos(Math.min(restNanos, heartbeatNanos - now));
          }
        } finally {
          lock.unlock();
        }
      }
    }

    @GuardedBy("lock")
    private String tell() throws IOException {
      knownRound = round;
      long start = clock.nanos();
      String frame = frame(this);
      frameNanos += clock.nanos() - start;
      return frame;
    }

    /** Leaves. The last one that leaves takes everything along. */
    @Override
    public void close() {
      lock.lock();
      try {
        watchers--;
        if (watchers == 0) {
          forget();
        }
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * A place at the beginning: the first frames tell everything. If others watch, the first one is
   * there at once, and does not wait for the next round.
   */
  Place join() {
    lock.lock();
    try {
      watchers++;
      return new Place(counted == null ? round : round - 1);
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void forget() {
    views.clear();
    underWay = null;
    counted = null;
    pages = new PageSnapshot();
    encoder = new RunLengthEncoder();
  }

  /** Goes on with the round that is under way, or begins one; the slice may end it. */
  @GuardedBy("lock")
  private void takeSlice(long start) {
    MapRound now = underWay;
    if (now == null) {
      now = new MapRound(start, views.keySet());
      underWay = now;
    }
    Iterator<Session> rest = sessions.sessionsAfter(now.lastId()).iterator();
    long end = start;
    while (rest.hasNext() && end - start < SLICE_NANOS) {
      Session session = rest.next();
      now.comeTo(session.rangeId());
      if (now.shown() < MAX_SHOWN) {
        look(now, session);
      } else {
        PageCounts counts = session.range().counts();
        now.count(session.range().pageCount(), counts.available(), counts.used());
      }
      end = clock.nanos();
    }
    now.spend(end - start);
    if (!rest.hasNext()) {
      endRound(now, end);
    }
  }

  @GuardedBy("lock")
  private void look(MapRound now, Session session) {
    // Of a range that is new, at once.
    boolean withAges = round % ROUNDS_BETWEEN_AGES == 0 || !now.knows(session.rangeId());
    if (pages.take(session.range(), withAges)) {
      encoder.encode(pages, epochNanos);
      now.show(update(session, withAges));
    }
  }

  @GuardedBy("lock")
  private RangeView update(Session session, boolean withAges) {
    RangeView view = views.get(session.rangeId());
    if (view == null) {
      membershipVersion = ++lastVersion;
      view = new RangeView(session, membershipVersion);
    }
    if (view.take(encoder, withAges)) {
      view.changed(++lastVersion);
      views.putLast(session.rangeId(), view);
    }
    return view;
  }

  @GuardedBy("lock")
  private void endRound(MapRound ended, long end) {
    underWay = null;
    counted = ended.found();
    if (!ended.gone().isEmpty()) {
      views.keySet().removeAll(ended.gone());
      membershipVersion = ++lastVersion;
    }
    round++;
    long cost = ended.costNanos() + frameNanos;
    // The lesser of two: a round during which this thread was not run seems dear, and was not.
    long rest = Math.min(cost, lastCostNanos) * REST_FACTOR;
    nextRoundNanos = Math.max(ended.startNanos() + MIN_ROUND_NANOS, end + rest);
    lastCostNanos = cost;
    frameNanos = 0;
  }

  @GuardedBy("lock")
  private String frame(Place place) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      json.setHtmlSafe(true); // of names: should a frame ever be shown as it is
      json.beginObject();
      json.name("now").value(TimeUnit.NANOSECONDS.toMillis(clock.nanos() - epochNanos));
      json.name("totals");
      totals.tell(json, counted == null ? PageSums.NONE : counted, views.size());
      if (membershipVersion > place.knownVersion) {
        place.known.retainAll(views.keySet());
        json.name("live").beginArray();
        for (long id : views.keySet().stream().sorted().toList()) {
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
    Deque<RangeView> changed = new ArrayDeque<>();
    for (RangeView view : views.sequencedValues().reversed()) {
      if (view.version() <= place.knownVersion) {
        break;
      }
      changed.push(view);
    }
    json.name("ranges").beginArray();
    long told = place.knownVersion;
    while (!changed.isEmpty() && text.length() < frameChars) {
      RangeView view = changed.pop();
      view.tell(json, place.known.add(view.rangeId()));
      told = view.version();
    }
    json.endArray();
    place.knownVersion = changed.isEmpty() ? lastVersion : told;
    return !changed.isEmpty();
  }
}
