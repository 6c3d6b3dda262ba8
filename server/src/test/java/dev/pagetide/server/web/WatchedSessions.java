package dev.pagetide.server.web;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Sessions on real memfds, and a model of the map over them, by a clock that the test moves. */
final class WatchedSessions implements AutoCloseable {
  private static final int PAGE = 4096;
  private static final long MANY = 1L << 30;
  private static final long BEGINNING = Duration.ofDays(1).toNanos();

  private final AtomicLong nanos = new AtomicLong(BEGINNING);
  private final List<Session> sessions = new ArrayList<>();
  private final SessionRegistry registry;
  final MapFeed feed;

  /** The time passes when the test says so, and by a leap each time that it is asked for. */
  WatchedSessions(int frameChars, Duration leap) {
    PageClock clock = () -> nanos.addAndGet(leap.toNanos());
    PageBudget budget = PageBudget.root("--max-resident-bytes", MANY);
    Shrinker shrinker = new Shrinker(budget, clock, PageObserver.NONE);
    this.registry =
        new SessionRegistry(
            new SessionConfig(10_000, 10_000, MANY, MANY),
            new RangeConfig(PageFileMaker.MEMFD, MANY * PAGE, 7),
            budget,
            shrinker,
            InstantSource.system());
    this.feed = new MapFeed(registry, shrinker, budget, null, frameChars);
  }

  /** With frames so long that one tells everything. */
  static WatchedSessions inOneFrame() {
    return new WatchedSessions(Integer.MAX_VALUE, Duration.ZERO);
  }

  ShrinkablePageRange open(int pages) {
    Session session =
        registry.open(Peer.unix(0, 1), "n" + sessions.size(), RangeMode.PAGES, (long) pages * PAGE);
    sessions.add(session);
    return session.range();
  }

  /** Ends the session that was opened first of those that live. */
  void endFirst() {
    registry.end(sessions.removeFirst(), EndReason.CANCELLED);
  }

  void pass(Duration time) {
    var _ = nanos.addAndGet(time.toNanos());
  }

  /** What a watcher is told of the next round, which is due. */
  JsonObject next(MapFeed.Place place) throws Exception {
    pass(Duration.ofHours(1));
    return frame(place.next());
  }

  static JsonObject frame(@Nullable String text) {
    if (text == null) {
      throw new AssertionError("a heartbeat instead of a frame");
    }
    return JsonParser.parseString(text).getAsJsonObject();
  }

  /** The only range that a frame tells. */
  static JsonObject onlyRange(JsonObject frame) {
    return frame.getAsJsonArray("ranges").asList().stream()
        .reduce((a, b) -> {
          throw new AssertionError("more than one range in " + frame);
        })
        .orElseThrow()
        .getAsJsonObject();
  }

  @Override
  public void close() {
    sessions.forEach(session -> registry.end(session, EndReason.CANCELLED));
  }
}
