package dev.pagetide.server.metrics;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.MemoryRefusal;
import dev.pagetide.server.page.PageObserver;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs when memory runs short, and when it no longer does: two lines for each episode, however many
 * requests the server refused in it.
 *
 * <p>An episode begins with a refusal and ends when there was none for ten seconds. Each limit has
 * episodes of its own. Thread-safe. It does not block, because the thread that refuses also serves
 * other clients.
 */
public final class ShortageLog implements PageObserver {
  private static final Logger LOG = LoggerFactory.getLogger(ShortageLog.class);
  private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final LogTimer timer;

  /** The open episodes by the limit's option. LOCKS: a leaf. */
  @GuardedBy("this")
  private final Map<String, Episode> episodes = new HashMap<>();

  private static final class Episode {
    private final long startNanos;
    private long lastNanos;
    private long refusals;
    private long pages;

    Episode(long startNanos) {
      this.startNanos = startNanos;
    }
  }

  public ShortageLog(LogTimer timer) {
    this.timer = timer;
  }

  @Override
  public void refused(MemoryRefusal refusal) {
    long now = System.nanoTime();
    boolean begins;
    synchronized (this) {
      Episode episode = episodes.get(refusal.limit());
      begins = episode == null;
      if (episode == null) {
        episode = new Episode(now);
        episodes.put(refusal.limit(), episode);
      }
      episode.lastNanos = now;
      episode.refusals++;
      episode.pages += refusal.pages();
    }
    if (begins) {
      timer.runLater(() -> look(refusal.limit()), QUIET_NANOS);
      LOG.warn("memory runs short: {}", refusal.message());
    }
  }

  private void look(String limit) {
    Episode ended;
    long quiet;
    synchronized (this) {
      Episode episode = episodes.get(limit);
      if (episode == null) {
        return;
      }
      quiet = System.nanoTime() - episode.lastNanos;
      ended = quiet >= QUIET_NANOS ? episodes.remove(limit) : null;
    }
    if (ended == null) {
      timer.runLater(() -> look(limit), QUIET_NANOS - quiet);
      return;
    }
    LOG.info(
        "memory no longer runs short: {} refused {} requests for {} pages in {} ms",
        limit,
        ended.refusals,
        ended.pages,
        TimeUnit.NANOSECONDS.toMillis(ended.lastNanos - ended.startNanos));
  }
}
