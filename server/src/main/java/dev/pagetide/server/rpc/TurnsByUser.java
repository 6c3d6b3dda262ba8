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
 * Runs long pieces of work, one at a time for each user. So the work of one user takes at most one
 * of the threads, however much the user asks for at once, and the other threads serve the other
 * users. Thread-safe.
 *
 * <p>A user's work runs in the order in which it was submitted. All clients over TCP count as one
 * user. Each piece of work is a request, so the limits on requests in flight bound the waiting
 * work.
 */
final class TurnsByUser {
  private final Executor threads;

  /** The work that waits for its turn, for each user that has work under way. */
  @GuardedBy("this")
  private final Map<Integer, Queue<Runnable>> waiting = new HashMap<>();

  /**
   * No work at first.
   *
   * @param threads runs the work
   */
  TurnsByUser(Executor threads) {
    this.threads = threads;
  }

  /** Runs a user's work when its turn comes. If no other thread takes it, this thread runs it. */
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
      run(uid, work); // on this thread, because no other takes the work
    }
  }

  /** Gives work to a thread. False if none can be started, or if the server is stopping. */
  private boolean begin(int uid, Runnable work) {
    try {
      threads.execute(() -> run(uid, work));
      return true;
    } catch (RejectedExecutionException | OutOfMemoryError e) {
      return false;
    }
  }

  /** Runs work, then submits the user's next work behind that which others submitted meanwhile. */
  private void run(int uid, Runnable first) {
    Runnable work = first;
    while (work != null) {
      try {
        work.run();
      } catch (RuntimeException | Error e) {
        var _ = StatusMapper.of(e); // a bug: logged and counted; the other work has its turn
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
