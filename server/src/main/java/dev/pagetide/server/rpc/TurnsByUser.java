package dev.pagetide.server.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
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

  /** Does a user's work when its turn comes; on this thread if no other can be started. */
  void submit(int uid, Runnable work) {
    synchronized (this) {
      Queue<Runnable> behind = waiting.get(uid);
      if (behind != null) {
        behind.add(work);
        return;
      }
      waiting.put(uid, new ArrayDeque<>());
    }
    if (!begin(uid, work)) {
      run(uid, work); // late on this thread is better than never
    }
  }

  /** Hands work to a thread; false if none can be started, or the server is stopping. */
  private boolean begin(int uid, Runnable work) {
    try {
      threads.execute(() -> run(uid, work));
      return true;
    } catch (RejectedExecutionException | OutOfMemoryError e) {
      return false;
    }
  }

  /** The next one is handed in again, behind what others have handed in meanwhile. */
  private void run(int uid, Runnable first) {
    Runnable work = first;
    while (work != null) {
      try {
        work.run();
      } catch (RuntimeException | Error e) {
        var _ =
            StatusMapper.of(e); // a bug: it is logged and counted, and the others have their turn
      }
      work = next(uid);
      if (work != null && begin(uid, work)) {
        return;
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

  /** How many users have work under way. */
  synchronized int users() {
    return waiting.size();
  }
}
