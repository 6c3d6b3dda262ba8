package dev.pagetide.server.web;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageClock;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Those who watch the tide, each on a thread of its own that may wait for a slow reader as long as
 * it likes: a watcher costs one frame and its place. Bounded; who comes when all subscriptions are
 * taken gets the one whose reader has not read for longest, if that is long enough. Thread-safe.
 */
final class Watchers {
  /** Seats. */
  static final int MAX = 8;

  /** How long a frame has to have waited for its reader until the subscription is given away. */
  static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** An event without data: the page hears that the server lives, and nothing has changed. */
  private static final String HEARTBEAT = "event: heartbeat\ndata:\n\n";

  private final MapFeed feed;
  private final PageClock clock;

  @GuardedBy("this")
  private final Set<Subscription> subscriptions = new LinkedHashSet<>();

  Watchers(MapFeed feed, PageClock clock) {
    this.feed = feed;
    this.clock = clock;
  }

  /** One watcher's, from its request to its end. */
  final class Subscription implements AutoCloseable {
    private final Thread thread = Thread.currentThread();

    /** When the frame that is being sent was begun; 0 between frames. */
    private volatile long sendingSince;

    /**
     * Sends events until the reader goes, or the server ends. For the thread that took the
     * subscription.
     *
     * @param hello the first event's text
     */
    void serve(OutputStream out, String hello) throws IOException, InterruptedException {
      try (MapFeed.Place place = feed.join()) {
        send(out, "retry: 1000\nevent: hello\ndata: " + hello + "\n\n");
        while (true) {
          String frame = place.next();
          send(out, frame == null ? HEARTBEAT : "event: tide\ndata: " + frame + "\n\n");
        }
      }
    }

    private void send(OutputStream out, String event) throws IOException {
      sendingSince = Math.max(1, clock.nanos());
      out.write(event.getBytes(StandardCharsets.UTF_8));
      out.flush();
      sendingSince = 0;
    }

    private boolean isStuck(long nowNanos) {
      long since = sendingSince;
      return since != 0 && nowNanos - since >= STUCK_NANOS;
    }

    /** Leaves. To be called on the thread that took the subscription. */
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
    // Its write ends with an exception, and the connection with it.
    stuck.thread.interrupt();
    return true;
  }
}
