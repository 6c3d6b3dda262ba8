package dev.pagetide.server.metrics;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs which clients reached a limit, with one line for each. It writes at most {@link #MOST_LINES}
 * lines for each limit in ten seconds, and then one that counts the rest. So a hostile client
 * cannot flood the log.
 *
 * <p>Thread-safe. It does not block, because the calling threads serve other clients.
 */
public final class CutOffLog implements CutOffObserver, AutoCloseable {
  /** Most lines of one limit in one window, besides the line that counts the rest. */
  static final int MOST_LINES = 5;

  private static final Logger LOG = LoggerFactory.getLogger(CutOffLog.class);
  private static final Duration WINDOW = Duration.ofSeconds(10);

  private final LogTimer timer;
  private final Duration window;

  /** The open windows by their limits. LOCKS: a leaf, except for the log itself. */
  @GuardedBy("this")
  private final Map<String, Window> windows = new HashMap<>();

  @GuardedBy("this")
  private boolean closed;

  private static final class Window {
    private int told;
    private long more;
  }

  /** A log whose windows end by a timer. */
  public CutOffLog(LogTimer timer) {
    this(timer, WINDOW);
  }

  CutOffLog(LogTimer timer, Duration window) {
    this.timer = timer;
    this.window = window;
  }

  @Override
  public void cutOff(Peer peer, String limit, String why) {
    boolean begins = false;
    synchronized (this) {
      if (closed) {
        return;
      }
      Window open = windows.get(limit);
      if (open == null) {
        begins = true;
        open = new Window();
        windows.put(limit, open);
      }
      if (open.told == MOST_LINES) {
        open.more++;
        return;
      }
      open.told++;
      LOG.warn("client cut off: {} limit={}: {}", name(peer), limit, why);
    }
    if (begins) {
      timer.runLater(() -> end(limit), window.toNanos());
    }
  }

  private static String name(Peer peer) {
    return peer.transport() == Peer.Transport.TCP
        ? "by TCP"
        : String.format(Locale.ROOT, "uid=%d pid=%d", peer.uid(), peer.pid());
  }

  private synchronized void end(String limit) {
    count(limit, windows.remove(limit));
  }

  @GuardedBy("this")
  private void count(String limit, @Nullable Window ended) {
    if (ended != null && ended.more > 0) {
      LOG.warn(
          "clients cut off: limit={}: {} more within {} s", limit, ended.more, window.toSeconds());
    }
  }

  /** Writes the counts that are left. */
  @Override
  public synchronized void close() {
    closed = true;
    windows.forEach(this::count);
    windows.clear();
  }
}
