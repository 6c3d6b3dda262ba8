package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

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
      return PagetideException.local(StatusCode.RESOURCE_EXHAUSTED, "no memory");
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

  /** A call whose answer is decided when it is cancelled, and comes a moment later. */
  private static final class DecidedCall extends CompletableFuture<String> {
    @Override
    public boolean cancel(boolean mayInterrupt) {
      Thread interrupted = Thread.currentThread();
      var _ =
          Thread.ofPlatform()
              .daemon()
              .start(() -> {
                await().until(() -> interrupted.getState() == Thread.State.WAITING);
                complete("answer");
              });
      return false;
    }
  }

  @Test
  void get_answerIsDecidedAndNotThereYet_waitsForIt() {
    Thread.currentThread().interrupt();

    assertThat(Blocking.get(new DecidedCall())).isEqualTo("answer");

    assertThat(Thread.currentThread().isInterrupted()).isTrue();
  }

  @Test
  void awaitEnd_interrupted_cancelsNothing() {
    CompletableFuture<String> call = new CompletableFuture<>();
    Thread.currentThread().interrupt();

    Blocking.awaitEnd(call);

    assertThat(Thread.currentThread().isInterrupted()).isTrue();
    assertThat(call).isNotDone();
  }

  @Test
  void awaitEnd_whereAnswersAreDelivered_doesNotWait() {
    CompletableFuture<String> call = new CompletableFuture<>();

    Blocking.deliver(() -> Blocking.awaitEnd(call));

    assertThat(call).isNotDone();
  }

  @Test
  void awaitEnd_failed_throwsWhatItFailedWith() {
    CompletableFuture<String> call = new CompletableFuture<>();
    call.completeExceptionally(PagetideException.local(StatusCode.DEADLINE_EXCEEDED, "too late"));

    assertThatThrownBy(() -> Blocking.awaitEnd(call))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("too late");
  }

  @Test
  void get_interruptedBeforeTheAnswer_isCancelledWithAnUnknownOutcome() {
    CompletableFuture<String> call = new CompletableFuture<>();
    Thread.currentThread().interrupt();

    assertThatThrownBy(() -> Blocking.get(call))
        .isInstanceOfSatisfying(
            PagetideException.class,
            failure -> {
              assertThat(failure.code()).isEqualTo(StatusCode.CANCELLED);
              assertThat(failure.outcomeUnknown()).isTrue();
            });

    assertThat(call).isCancelled();
    assertThat(Thread.currentThread().isInterrupted()).isTrue();
  }
}
