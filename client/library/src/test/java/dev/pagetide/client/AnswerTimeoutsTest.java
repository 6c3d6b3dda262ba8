package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** How long a command may wait for its answer. */
final class AnswerTimeoutsTest {

  @Test
  void limit_notAnswered_failsWithAnUnknownOutcome() {
    AnswerTimeouts timeouts = new AnswerTimeouts(Duration.ofMillis(1));
    CompletableFuture<Void> result = new CompletableFuture<>();

    timeouts.limit("Reply", result);

    await().until(result::isDone);
    assertThat(result.exceptionNow())
        .isInstanceOfSatisfying(
            PagetideException.class,
            failure -> {
              assertThat(failure.code()).isEqualTo(StatusCode.DEADLINE_EXCEEDED);
              assertThat(failure.outcomeUnknown()).isTrue();
            })
        .hasMessageContaining("Reply");
  }

  @Test
  void limit_longerThanAnyClockCounts_isNoLimit() {
    AnswerTimeouts timeouts = new AnswerTimeouts(Duration.ofSeconds(Long.MAX_VALUE));
    CompletableFuture<Void> first = new CompletableFuture<>();
    CompletableFuture<Void> second = new CompletableFuture<>();

    timeouts.limit("Reply", first);
    timeouts.limit("Reply", second);

    assertThat(first).isNotDone();
    assertThat(second).isNotDone();
  }
}
