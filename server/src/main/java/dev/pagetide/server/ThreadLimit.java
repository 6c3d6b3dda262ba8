package dev.pagetide.server;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/** The check whether the kernel lets this process start the threads that a server needs. */
final class ThreadLimit {
  /**
   * An idle server has a dozen threads besides the JVM's; event loops and workers come with work.
   */
  private static final int THREADS = 32;

  /** The message to the operator if it does not. */
  static final String SENTENCE =
      String.format(
          Locale.ROOT,
          "the kernel lets this process start no more threads, and a server needs %d; raise ulimit"
              + " -u (RLIMIT_NPROC, which counts all threads of the user) or pids.max of the"
              + " control group, or free memory for the threads' stacks",
          THREADS);

  /** How the message of the JVM's error begins. The error has no type of its own. */
  private static final String MESSAGE = "unable to create native thread";

  private ThreadLimit() {}

  /**
   * Starts as many threads as a server needs, and ends them again. This runs before other parts
   * start, because each of those would log lines of its own about the failure.
   *
   * @throws OutOfMemoryError if that is more than the kernel allows; {@link #isReached} recognises
   *     it
   */
  static void check() {
    CountDownLatch end = new CountDownLatch(1);
    List<Thread> started = new ArrayList<>();
    try {
      for (int i = 0; i < THREADS; i++) {
        Thread thread = Thread.ofPlatform().daemon().unstarted(() -> await(end));
        thread.start();
        started.add(thread);
      }
    } finally {
      end.countDown();
      started.forEach(ThreadLimit::join);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      // then the thread ends sooner
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the thread ends by itself
    }
  }

  /** Whether a failure, or one of its causes, says that a thread could not be started. */
  static boolean isReached(@Nullable Throwable failure) {
    Throwable thrown = failure;
    for (int depth = 0; thrown != null && depth < 100; depth++) {
      if (thrown instanceof OutOfMemoryError
          && String.valueOf(thrown.getMessage()).startsWith(MESSAGE)) {
        return true;
      }
      thrown = thrown.getCause();
    }
    return false;
  }
}
