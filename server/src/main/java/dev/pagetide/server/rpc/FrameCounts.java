package dev.pagetide.server.rpc;

import dev.pagetide.server.budget.PageClock;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * How many frames one HTTP/2 client sends that cost the server work and bring no call any further,
 * and the limits on them.
 *
 * <p>Confined to the connection's event loop.
 */
/*
 * The limits are far above what clients of gRPC send, because a connection that is ended takes its
 * sessions with it.
 *
 *  - Resets. A client resets a call that it cancels or whose deadline passes.
 *  - Updates. A client sends PING and WINDOW_UPDATE as it reads answers, at most a few for each
 *    frame of an answer, and acknowledges the PINGs that the server sends as it reads requests. So
 *    each frame with data, in either direction, takes some back. gRPC itself ends a connection for
 *    PINGs without such frames.
 *  - Control. What is left is rare: a client sends some SETTINGS when it connects and when its
 *    windows grow. No client of gRPC sends empty or padded DATA without END_STREAM, nor
 *    CONTINUATION, because the server's limit on headers is less than one frame.
 *
 * A limit is a mean rate. The clock is read only when a count is full: if it took less than the
 * window to fill it, the client is over the limit; else the count begins again.
 */
final class FrameCounts {
  static final int MOST_RESETS = 10_000;
  static final int MOST_CONTROL = 1_000;
  static final int MOST_UPDATES = 10_000;

  /** Updates that one frame with data takes back: two PINGs and two WINDOW_UPDATEs. */
  private static final int UPDATES_PER_DATA = 4;

  static final int WINDOW_SECONDS = 10;
  private static final long WINDOW_NANOS = TimeUnit.SECONDS.toNanos(WINDOW_SECONDS);

  private final PageClock clock;
  private final Rate resets = new Rate("http2-resets", MOST_RESETS, "RST_STREAM frames");
  private final Rate updates =
      new Rate(
          "http2-updates",
          MOST_UPDATES,
          "PING and WINDOW_UPDATE frames beyond 4 for each with data");
  private final Rate control =
      new Rate(
          "http2-control",
          MOST_CONTROL,
          "SETTINGS, PRIORITY, CONTINUATION, empty DATA or unknown frames");

  FrameCounts(PageClock clock) {
    this.clock = clock;
    long now = clock.nanos();
    resets.since = now;
    updates.since = now;
    control.since = now;
  }

  /** One limit, and the frames counted since some time. */
  static final class Rate {
    final String limit;
    private final int most;
    private final String what;
    private int count;
    private long since;

    Rate(String limit, int most, String what) {
      this.limit = limit;
      this.most = most;
      this.what = what;
    }

    /** The sentence for the operator, and for the client. */
    String why() {
      return String.format(
          Locale.ROOT,
          "more than %d %s within %d s on one connection (no option raises this)",
          most,
          what,
          WINDOW_SECONDS);
    }
  }

  /**
   * Counts the frame whose header was found.
   *
   * @return the limit that it exceeds; null if none
   */
  @Nullable Rate add(FrameScanner frame) {
    return switch (frame.type()) {
      case FrameScanner.HEADERS -> null;
      case FrameScanner.DATA -> {
        if (frame.has(FrameScanner.END_STREAM)) {
          yield null;
        }
        if (frame.length() == 0 || frame.has(FrameScanner.PADDED)) {
          yield overBy(control);
        }
        dataPassed();
        yield null;
      }
      case FrameScanner.RST_STREAM -> overBy(resets);
      case FrameScanner.PING, FrameScanner.WINDOW_UPDATE -> overBy(updates);
      default -> overBy(control);
    };
  }

  /** Counts a frame that brings data or headers of an answer. */
  void dataPassed() {
    updates.count = Math.max(0, updates.count - UPDATES_PER_DATA);
  }

  private @Nullable Rate overBy(Rate rate) {
    rate.count++;
    if (rate.count <= rate.most) {
      return null;
    }
    long now = clock.nanos();
    if (now - rate.since < WINDOW_NANOS) {
      return rate;
    }
    rate.since = now;
    rate.count = 1;
    return null;
  }
}
