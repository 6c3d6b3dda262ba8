package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a blocking call answers whose thread is interrupted. */
final class BlockingTest {

  @AfterEach
  void endInterrupt() {
    var _ = Thread.interrupted();
  }

  /** A call whose answer comes after the interrupt and before the cancellation. */
  private static final class LateCall extends CompletableFuture<String> {
    private final Runnable answer;

    LateCall(boolean succeeds) {
      this.answer =
          () -> {
            var _ = succeeds ? complete("answer") : completeExceptionally(refusal());
          };
    }

    private static PagetideException refusal() {
      return PagetideException.local(Status.Code.RESOURCE_EXHAUSTED, "no memory");
    }

    @Override
    public boolean cancel(boolean mayInterrupt) {
      answer.run();
      return super.cancel(mayInterrupt);
    }
  }

  @Test
  void get_answerComesBetweenInterruptAndCancellation_isAnswered() {
    Thread.currentThread().interrupt();

    assertThat(Blocking.get(new LateCall(true))).isEqualTo("answer");

    assertThat(Thread.currentThread().isInterrupted()).isTrue();
  }

  @Test
  void get_refusalComesBetweenInterruptAndCancellation_isThrown() {
    Thread.currentThread().interrupt();

    assertThatThrownBy(() -> Blocking.get(new LateCall(false)))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("no memory");

    assertThat(Thread.currentThread().isInterrupted()).isTrue();
  }

  @Test
  void get_interruptedBeforeTheAnswer_isCancelledWithAnUnknownOutcome() {
    CompletableFuture<String> call = new CompletableFuture<>();
    Thread.currentThread().interrupt();

    assertThatThrownBy(() -> Blocking.get(call))
        .isInstanceOfSatisfying(
            PagetideException.class,
            failure -> {
              assertThat(failure.code()).isEqualTo(Status.Code.CANCELLED);
              assertThat(failure.outcomeUnknown()).isTrue();
            });

    assertThat(call).isCancelled();
    assertThat(Thread.currentThread().isInterrupted()).isTrue();
  }
}
