package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What becomes of a transaction whose reply ends in an unusual way. */
final class ReplyEndTest extends ReceiverCase {

  @AfterEach
  void clearInterrupt() {
    var _ = Thread.interrupted();
  }

  private ReceivedTransaction kept() {
    CompletableFuture<ReceivedTransaction> kept = new CompletableFuture<>();
    open(transaction -> {
      transaction.keep();
      kept.complete(transaction);
    });
    server.transact(1, false, TEXT);
    return join(kept);
  }

  @Test
  void reply_interrupted_isCancelledAndTheReplyIsSent() {
    ReceivedTransaction transaction = kept();
    Thread.currentThread().interrupt();

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> transaction.reply(payload("late")));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(failure.code()).isEqualTo(StatusCode.CANCELLED);
    assertThat(failure.outcomeUnknown()).isTrue();
    ExchangeRequest reply = server.next(CommandCase.REPLY);
    assertThat(reply.getReply().getPayload().getData().toStringUtf8()).isEqualTo("late");
    assertThat(transaction.isOver()).isFalse();
    server.accept(reply);
    await().until(transaction::isOver);
    join(transaction.over().toCompletableFuture());
    transaction.close();
    expectFree(16);
    assertThat(server.waiting()).isZero(); // no refusal
  }

  @Test
  void reply_interruptedAndFails_canBeTriedAgain() {
    ReceivedTransaction transaction = kept();
    CompletableFuture<Void> reply = transaction.replyAsync(payload("bad"));
    assertThat(reply.cancel(true)).isTrue();
    server.fail(
        server.next(CommandCase.REPLY), Status.Code.OUT_OF_RANGE, ErrorReason.PAST_END, "too far");

    var _ = transaction.replyAsync(payload("good"));

    ExchangeRequest again = server.next(CommandCase.REPLY);
    assertThat(again.getReply().getPayload().getData().toStringUtf8()).isEqualTo("good");
    transaction.close();
  }

  @Test
  void reply_anErrorIsThrownOnTheWay_theAskerIsRefused() {
    AtomicBoolean armed = new AtomicBoolean();
    try (PagetideClient failing = server.client(new FailingRequest(armed))) {
      Receiver receiver =
          failing.openReceiver(
              options().withMaxQueued(1).withExecutor(Runnable::run),
              transaction -> {
                armed.set(true);
                transaction.reply(payload("lost"));
              });
      server.next(CommandCase.ATTACH);

      server.transact(1, false, TEXT);

      assertThat(server.next(CommandCase.REPLY).getReply().getPayload().getData().toStringUtf8())
          .isEqualTo("lost");
      assertThat(server.nextReplyAfterFrees(16).getReply().getRefusal()).contains("no more memory");
      assertThat(armed).isFalse();
      receiver.close();
    }
  }

  /** Throws once, where a message is asked for, after it was armed. */
  private record FailingRequest(AtomicBoolean armed) implements ClientInterceptor {
    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(
        MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
      return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
        @Override
        public void request(int messages) {
          if (armed.compareAndSet(true, false)) {
            throw new OutOfMemoryError("no more memory");
          }
          super.request(messages);
        }
      };
    }
  }
}
