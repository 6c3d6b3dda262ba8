package dev.pagetide.server.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Long pieces of work, one at a time for each user: so one user's take one of the threads at most,
 * however many it asks for at once, and the others serve everybody else. Thread-safe.
 *
 * <p>A user's work is done in the order in which it was handed in. Clients over TCP count as one
 * user. How much waits is bounded by the limits on requests in flight, each piece being a request.
 */
final class TurnsByUser {
  private final Executor threads;

  /** What waits for its turn, of each user who has work under way. */
  @GuardedBy("this")
  private final Map<Integer, Queue<Runnable>> waiting = new HashMap<>();

  /**
   * Nobody has work.
   *
   * @param threads where it is done
   */
  TurnsByUser(Executor threads) {
    this.threads = threads;
  }

  /** Does a user's work when its turn comes. */
  void submit(int uid, Runnable work) {
    synchronized (this) {
      Queue<Runnable> behind = waiting.get(uid);
      if (behind != null) {
        behind.add(work);
        return;
      }
      waiting.put(uid, new ArrayDeque<>());
    }
    begin(uid, work);
  }

  private void begin(int uid, Runnable work) {
    boolean begun = false;
    try {
      threads.execute(() -> run(uid, work));
      begun = true;
    } finally {
      if (!begun) {
        forget(uid); // the server stops, and ends all that wait
      }
    }
  }

  /** The next one is handed in again, behind what others have handed in meanwhile. */
  private void run(int uid, Runnable work) {
    try {
      work.run();
    } finally {
      Runnable next = next(uid);
      if (next != null) {
        begin(uid, next);
      }
    }
  }

  private synchronized @Nullable Runnable next(int uid) {
    Queue<Runnable> behind = waiting.get(uid);
    Runnable next = behind == null ? null : behind.poll();
    if (next == null) {
      waiting.remove(uid);
    }
    return next;
  }

  private synchronized void forget(int uid) {
    waiting.remove(uid);
  }

  /** How many users have work under way. */
  synchronized int users() {
    return waiting.size();
  }
}
