package dev.pagetide.server;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says in the log which clients ran into a limit: a line each, at most {@link #MOST_LINES} for each
 * limit in ten seconds, and one that counts the rest. So a hostile client cannot flood the log.
 *
 * <p>Its lines are written by a thread of its own, because those who call it serve other clients
 * and standard error may be a pipe that nobody reads. Thread-safe.
 */
final class CutOffLog implements CutOffObserver, AutoCloseable {
  /** Lines of one limit in one window, besides the one that counts the rest. */
  static final int MOST_LINES = 5;

  private static final Logger LOG = LoggerFactory.getLogger(CutOffLog.class);
  private static final Duration WINDOW = Duration.ofSeconds(10);

  private final ScheduledExecutorService timer =
      new ScheduledThreadPoolExecutor(
          1, Thread.ofPlatform().daemon().name("pagetide-cut-offs").factory());

  private final Duration window;

  /** By limit, while it is open. LOCKS: a leaf; nothing is logged under it. */
  @GuardedBy("this")
  private final Map<String, Window> windows = new HashMap<>();

  /** Lines to be written: at most MOST_LINES and one for each limit that has a window. */
  @GuardedBy("this")
  private final Deque<String> lines = new ArrayDeque<>();

  @GuardedBy("this")
  private boolean closed;

  private static final class Window {
    private int told;
    private long more;
  }

  CutOffLog() {
    this(WINDOW);
  }

  CutOffLog(Duration window) {
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
      lines.add("client cut off: %s limit=%s: %s".formatted(name(peer), limit, why));
    }
    try {
      timer.execute(this::tell);
      if (begins) {
        var _ = timer.schedule(() -> end(limit), window.toNanos(), TimeUnit.NANOSECONDS);
      }
    } catch (RejectedExecutionException e) {
      // Closed meanwhile, and what was left has been told.
    }
  }

  private static String name(Peer peer) {
    return peer.transport() == Peer.Transport.TCP
        ? "by TCP"
        : "uid=%d pid=%d".formatted(peer.uid(), peer.pid());
  }

  private void end(String limit) {
    synchronized (this) {
      count(limit, windows.remove(limit));
    }
    tell();
  }

  @GuardedBy("this")
  private void count(String limit, @Nullable Window ended) {
    if (ended != null && ended.more > 0) {
      lines.add(
          "clients cut off: limit=%s: %d more within %d s"
              .formatted(limit, ended.more, window.toSeconds()));
    }
  }

  private void tell() {
    for (String line = next(); line != null; line = next()) {
      LOG.warn("{}", line);
    }
  }

  private synchronized @Nullable String next() {
    return lines.poll();
  }

  /** Tells what is left. */
  @Override
  public void close() {
    timer.shutdownNow();
    synchronized (this) {
      closed = true;
      windows.forEach(this::count);
      windows.clear();
    }
    tell();
  }
}
