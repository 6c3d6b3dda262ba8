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
 * The data of the tide map. From time to time a round reads all ranges. Each watcher gets what has
 * changed since its last frame.
 *
 * <p>Thread-safe. It has no thread of its own: a watcher that finds that the next round is due does
 * the round. While there is no watcher, it computes nothing and keeps nothing.
 */
/*
 * Every change of a range takes the next version, and its view moves to the end of the list. So the
 * views, in order, are a log of changes without the outdated ones. The place of a watcher is a
 * position in that log, and the set of ranges that its frames have named, because a frame has the
 * name of a range the first time only. (The position alone does not say which ranges were named: a
 * range that changed before the watcher's first frames reached it is behind the position then,
 * although it is older than everything that the watcher got.) A watcher that does not read for a
 * minute costs no more than its place, and then gets in one go what is different now. What does not
 * fit into one frame is in the next one, because the position is that of the last change sent.
 *
 * A round is done in slices of SLICE_NANOS, and the lock is free between them. So each watcher can
 * send its heartbeat, however many pages there are. The lock is fair because otherwise the watcher
 * that does the slices would always get it back.
 *
 * After a round we rest at least REST_FACTOR times as long as the round and its frames took. So the
 * map costs less than 2 % of a core, including the sending, however many pages there are. With more
 * pages it becomes slower, but does not cost more.
 */
final class MapFeed {
  /** At most four rounds a second. */
  static final long MIN_ROUND_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  /** After so long without news, a watcher gets a heartbeat: the server lives. */
  static final long HEARTBEAT_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** A slice of a round ends with the range that makes it longer than this. */
  private static final long SLICE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private static final long REST_FACTOR = 64;

  /** How many rounds go from one reading of how long pages have been USED to the next. */
  private static final int ROUNDS_BETWEEN_AGES = 8;

  /**
   * Most ranges that are shown page by page. More would be no clear picture, and too much for a
   * browser.
   */
  static final int MAX_SHOWN = 512;

  /** A frame ends with the range that makes it longer than this; the next frame goes on there. */
  private static final int FRAME_CHARS = 1 << 20;

  private final SessionRegistry sessions;
  private final ServerTotals totals;
  private final PageClock clock;
  private final int frameChars;
  private final long epochNanos;

  /** LOCKS: a leaf, held for one slice and while one frame is made; never while one is sent. */
  private final ReentrantLock lock = new ReentrantLock(true);

  /** No thread signals it: watchers wait on it for the time that is left until the next round. */
  private final Condition roundDue = lock.newCondition();

  /** By range id, in the order of their versions. */
  @GuardedBy("lock")
  private final LinkedHashMap<Long, RangeView> views = new LinkedHashMap<>();

  /** Reused for every range. It is as large as the largest range that it has read. */
  @GuardedBy("lock")
  private PageSnapshot pages = new PageSnapshot();

  @GuardedBy("lock")
  private RunLengthEncoder encoder = new RunLengthEncoder();

  @GuardedBy("lock")
  private int watchers;

  @GuardedBy("lock")
  private long lastVersion;

  /** The version of the last change in which a range appeared or disappeared. */
  @GuardedBy("lock")
  private long membershipVersion;

  /** How many rounds have ended. */
  @GuardedBy("lock")
  private long round;

  /** The round that has begun and not ended. */
  @GuardedBy("lock")
  private @Nullable MapRound underWay;

  /** What the last round counted; null if no round has ended since there are watchers. */
  @GuardedBy("lock")
  private @Nullable PageSums counted;

  @GuardedBy("lock")
  private long nextRoundNanos;

  /** The time that the last round took, and the frames of the round before it. */
  @GuardedBy("lock")
  private long lastCostNanos;

  /** The time that the frames of the last round took. */
  @GuardedBy("lock")
  private long frameNanos;

  /**
   * A feed without watchers.
   *
   * @param pressure the level of each source of pressure, by its name; null if the server reads no
   *     source
   */
  MapFeed(
      SessionRegistry sessions,
      Shrinker shrinker,
      PageBudget budget,
      @Nullable Supplier<Map<String, Integer>> pressure) {
    this(sessions, shrinker, budget, pressure, FRAME_CHARS);
  }

  /** As above, with another length of frames. */
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

  /** One watcher's place in the log of changes. Only for the watcher's thread. */
  final class Place implements AutoCloseable {
    private long knownRound;
    private long knownVersion;

    /** The ranges that its frames have named and that no frame has reported as gone. */
    private final Set<Long> known = new HashSet<>();

    private Place(long knownRound) {
      this.knownRound = knownRound;
    }

    /**
     * Waits for the next round, and returns what it changed: one JSON object, without line ends.
     *
     * @return null if there was no change for {@link #HEARTBEAT_NANOS}
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

    /** The watcher leaves. When the last one leaves, the feed forgets everything. */
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
   * A place at the beginning of the log: its first frames have everything. If there are other
   * watchers, the first frame is there at once, and does not wait for the next round.
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
    // The smaller of two: a round in which the thread was not scheduled only seems to cost much.
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
