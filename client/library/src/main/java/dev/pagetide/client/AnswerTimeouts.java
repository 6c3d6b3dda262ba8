package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Fails what was not answered in time. Thread-safe.
 *
 * <p>All may wait equally long, so the first to come is the first to be late, and one timer does
 * for all: a timer for each command would wake a thread for each.
 */
final class AnswerTimeouts {

  /** Twice as many as can be undone: so many are looked through for those that are done. */
  private static final int MANY = 2 * ExchangeStream.MAX_COMMANDS;

  private final Duration longest;
  private final long longestNanos;

  /**
   * In the order of their deadlines; those that are done go when others come, or with the timer.
   */
  @GuardedBy("this")
  private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();

  @GuardedBy("this")
  private boolean timerRuns;

  private record Waiting(String command, CompletableFuture<?> result, long deadlineNanos) {}

  AnswerTimeouts(Duration longest) {
    this.longest = longest;
    this.longestNanos = TimeUnit.NANOSECONDS.convert(longest); // a time without end is 292 years
  }

  /** Fails {@code result} if it is not done in time. */
  void limit(String command, CompletableFuture<?> result) {
    synchronized (this) {
      dropDone();
      waiting.add(new Waiting(command, result, System.nanoTime() + longestNanos));
      if (timerRuns) {
        return;
      }
      timerRuns = true;
    }
    startTimer(longestNanos);
  }

  @GuardedBy("this")
  private void dropDone() {
    Waiting first = waiting.peek();
    while (first != null && first.result.isDone()) {
      waiting.remove();
      first = waiting.peek();
    }
    if (waiting.size() > MANY) {
      waiting.removeIf(one -> one.result.isDone()); // one that is not done held up the others
    }
  }

  private void startTimer(long nanos) {
    CompletableFuture<@Nullable Void> timer = new CompletableFuture<>();
    var _ = timer.completeOnTimeout(null, nanos, TimeUnit.NANOSECONDS).thenRun(this::failLateOnes);
  }

  private void failLateOnes() {
    List<Waiting> late = new ArrayList<>();
    long nextNanos;
    synchronized (this) {
      dropDone();
      long now = System.nanoTime();
      Waiting first = waiting.peek();
      while (first != null && first.deadlineNanos - now <= 0) {
        late.add(waiting.remove());
        first = waiting.peek();
      }
      timerRuns = first != null;
      nextNanos = first == null ? 0 : first.deadlineNanos - now;
    }
    if (nextNanos > 0) {
      startTimer(nextNanos);
    }
    Blocking.deliver(() -> {
      for (Waiting one : late) {
        one.result.completeExceptionally(noAnswer(one.command, longest));
      }
    });
  }

  /** What a command fails with of whose answer nothing was heard for so long. */
  static PagetideException noAnswer(String command, Duration longest) {
    return new PagetideException(
        StatusCode.DEADLINE_EXCEEDED,
        null,
        command + ": no answer within " + longest + "; whether it was done is unknown",
        null,
        true,
        0,
        null);
  }
}
