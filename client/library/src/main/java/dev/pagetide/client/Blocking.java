package dev.pagetide.client;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The bridge from asynchronous calls to blocking ones, and the guard that keeps a blocking call off
 * the threads that deliver answers.
 *
 * <p>Answers complete futures on the channel's event loop. A blocking call from a stage that runs
 * there would wait for an answer that only its own thread could deliver; it is refused at once.
 */
final class Blocking {

  private static final ThreadLocal<Boolean> DELIVERING = new ThreadLocal<>();

  private static volatile @Nullable Consumer<CompletableFuture<?>> interruptListener;

  private Blocking() {}

  /** Runs {@code completion}, which completes a caller's future on the event loop. */
  static void deliver(Runnable completion) {
    Boolean before = DELIVERING.get();
    DELIVERING.set(Boolean.TRUE);
    try {
      completion.run();
    } finally {
      if (before == null) {
        DELIVERING.remove();
      }
    }
  }

  /**
   * Starts an asynchronous call and waits for it.
   *
   * @throws PagetideException as the call fails; CANCELLED, with an unknown outcome and the
   *     interrupt flag set again, if this thread is interrupted before the answer has come
   * @throws IllegalStateException if this thread is delivering an answer
   */
  static <T> T await(Supplier<CompletableFuture<T>> start) {
    checkMayWait();
    return get(start.get());
  }

  /** Whether this thread is delivering an answer, so that it must not wait for another. */
  static boolean isDelivering() {
    return DELIVERING.get() != null;
  }

  /**
   * The result of a call that was started. Waits for it unless it is done; a thread that delivers
   * answers may pass only one that is done.
   *
   * @throws PagetideException as {@link #await}
   */
  static <T> T get(CompletableFuture<T> future) {
    try {
      return future.get();
    } catch (InterruptedException e) {
      interrupted(future);
      boolean cancelled = future.cancel(true);
      Thread.currentThread().interrupt();
      if (cancelled) {
        throw silent("interrupted while waiting; whether the call was done is unknown", e);
      }
      // RACE: the answer came before the cancellation, and nobody else would hear of it. It is here
      // or is being delivered at this moment, so this waits for nothing else.
      return answer(future);
    } catch (CancellationException e) {
      throw silent("cancelled while waiting; whether the call was done is unknown", e);
    } catch (ExecutionException e) {
      throw failure(e.getCause() == null ? e : e.getCause());
    }
  }

  private static <T> T answer(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      throw failure(cause(e));
    }
  }

  /**
   * Waits for what goes on whether or not somebody waits: an interrupt ends the wait, with the flag
   * set again, and cancels nothing. A thread that delivers answers does not wait.
   *
   * @throws PagetideException as it fails, if this thread has waited until it failed
   */
  static void awaitEnd(CompletableFuture<?> future) {
    if (isDelivering() && !future.isDone()) {
      return;
    }
    try {
      future.get();
    } catch (InterruptedException e) {
      interrupted(future);
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      throw failure(cause(e.getCause() == null ? e : e.getCause()));
    }
  }

  /** Tells a test that this thread was interrupted while it waited for {@code future}. */
  private static void interrupted(CompletableFuture<?> future) {
    Consumer<CompletableFuture<?>> told = interruptListener;
    if (told != null) {
      told.accept(future);
    }
  }

  /**
   * Says what is called between each interrupt of a wait and the cancellation that follows. For
   * tests of that moment; null for nothing.
   */
  static void onInterrupt(@Nullable Consumer<CompletableFuture<?>> listener) {
    interruptListener = listener;
  }

  /** What a stage failed with, without the wrapper that later stages are given it in. */
  static Throwable cause(Throwable failure) {
    return failure instanceof CompletionException && failure.getCause() != null
        ? failure.getCause()
        : failure;
  }

  private static RuntimeException failure(Throwable cause) {
    return switch (cause) {
      case PagetideException refusal -> refusal.rethrown();
      case RuntimeException bug -> bug;
      default -> new IllegalStateException(cause);
    };
  }

  /**
   * Refuses a call that may wait, if this thread delivers answers.
   *
   * @throws IllegalStateException if this thread is delivering an answer
   */
  static void checkMayWait() {
    if (isDelivering()) {
      throw new IllegalStateException(
          "a blocking call from a stage that runs where answers are delivered would wait for"
              + " itself; call its Async twin, or continue with an executor (thenApplyAsync)");
    }
  }

  private static PagetideException silent(String message, Exception cause) {
    return new PagetideException(StatusCode.CANCELLED, null, message, null, true, 0, cause);
  }
}
