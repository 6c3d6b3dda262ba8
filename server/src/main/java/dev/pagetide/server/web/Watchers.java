package dev.pagetide.server.web;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageClock;
import java.io.IOException;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The watchers of the tide map. Each has a thread of its own, which may wait for a slow reader
 * without limit, because a watcher costs only one frame and its place. There are at most {@link
 * #MAX} watchers. A further one replaces the watcher whose browser has read nothing for longest, if
 * that is at least {@link #STUCK_NANOS}; otherwise it gets 503. Thread-safe.
 */
final class Watchers {
  /** Most watchers at once. */
  static final int MAX = 8;

  /** How long a frame must have waited for its reader before another watcher gets the place. */
  static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** An event without data: it says that the server lives and that nothing has changed. */
  private static final String HEARTBEAT = "event: heartbeat\ndata:\n\n";

  private final MapFeed feed;
  private final PageClock clock;

  @GuardedBy("this")
  private final Set<Subscription> subscriptions = new LinkedHashSet<>();

  Watchers(MapFeed feed, PageClock clock) {
    this.feed = feed;
    this.clock = clock;
  }

  /** One watcher, from its request to its end. */
  final class Subscription implements AutoCloseable {
    private final Thread thread = Thread.currentThread();

    /** When the thread began to send the current frame; 0 between frames. */
    private volatile long sendingSince;

    /**
     * Sends events until the reader disconnects or the server ends. Only for the thread that took
     * the subscription.
     *
     * @param hello the first event's text
     */
    void serve(EventStream out, String hello) throws IOException, InterruptedException {
      try (MapFeed.Place place = feed.join()) {
        send(out, "retry: 1000\nevent: hello\ndata: " + hello + "\n\n");
        while (true) {
          String frame = place.next();
          send(out, frame == null ? HEARTBEAT : "event: tide\ndata: " + frame + "\n\n");
        }
      }
    }

    private void send(EventStream out, String event) throws IOException, InterruptedException {
      sendingSince = Math.max(1, clock.nanos());
      out.send(event);
      sendingSince = 0;
    }

    private boolean isStuck(long nowNanos) {
      long since = sendingSince;
      return since != 0 && nowNanos - since >= STUCK_NANOS;
    }

    /** Ends the subscription. Only for the thread that took it. */
    @Override
    public void close() {
      synchronized (Watchers.this) {
        subscriptions.remove(this);
      }
    }
  }

  /** A subscription for the calling thread; null if all are taken. */
  synchronized @Nullable Subscription take() {
    if (subscriptions.size() >= MAX && !dismissStuck()) {
      return null;
    }
    Subscription subscription = new Subscription();
    subscriptions.add(subscription);
    return subscription;
  }

  @GuardedBy("this")
  private boolean dismissStuck() {
    long now = clock.nanos();
    Subscription stuck =
        subscriptions.stream()
            .filter(subscription -> subscription.isStuck(now))
            .min(Comparator.comparingLong(subscription -> subscription.sendingSince))
            .orElse(null);
    if (stuck == null) {
      return false;
    }
    subscriptions.remove(stuck);
    // The interrupt ends its wait with an exception, and with it the connection.
    stuck.thread.interrupt();
    return true;
  }
}
