package dev.pagetide.client;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.ExchangeRequest.CommandCase;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Replied;
import dev.pagetide.v1.Transaction;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Senders and receivers where answers are delivered: what may wait is refused there, and what a
 * waiting call holds, nothing there needs.
 */
final class BlockingIsRefusedTest extends ReceiverCase {

  private static final Target STORE = Target.named("store");

  /** More than a message carries, so it is read from the server. */
  private static final int LONG = FakeServer.MAX_DATA_BYTES + 1;

  private @Nullable Receiver receiver;

  private ReceivedTransaction longTransaction() {
    CompletableFuture<ReceivedTransaction> kept = new CompletableFuture<>();
    receiver =
        open(transaction -> {
          transaction.keep();
          kept.complete(transaction);
        });
    server.transact(Transaction.newBuilder().setTransaction(1).setOffset(64).setSize(LONG));
    return join(kept);
  }

  private Reply longReply(Sender sender) {
    CompletableFuture<Reply> asked = sender.askAsync(STORE, 1, Payload.NONE);
    var command = server.next(CommandCase.TRANSACT);
    server.send(
        ExchangeResponse.newBuilder()
            .setId(command.getId())
            .setReplied(Replied.newBuilder().setOffset(64).setSize(LONG))
            .build());
    return join(asked);
  }

  @Test
  void everyBlockingMethod_whereAnswersAreDelivered_isRefusedBeforeAnythingIsSent() {
    ReceivedTransaction transaction = longTransaction();
    Sender sender = requireNonNull(receiver).sender();
    Reply reply = longReply(sender);
    Map<String, ThrowingCallable> methods =
        Map.of(
            "ask", () -> sender.ask(STORE, 1, Payload.NONE).close(),
            "ask with options",
                () -> sender.ask(STORE, 1, Payload.NONE, AskOptions.DEFAULT).close(),
            "send", () -> sender.send(STORE, 1, Payload.NONE),
            "send with options", () -> sender.send(STORE, 1, Payload.NONE, new SendOptions(true)),
            "stage", () -> sender.stage(1).close(),
            "stage cleared", () -> sender.stage(1, true).close(),
            "Reply.data", reply::data,
            "ReceivedTransaction.data", transaction::data,
            "openSender", () -> client.openSender(SenderOptions.DEFAULT).close(),
            "openReceiver", () -> client.openReceiver(options(), any -> {}).close());

    methods.forEach((name, method) ->
        Blocking.deliver(() ->
            assertThat(catchThrowableOfType(IllegalStateException.class, method))
                .as(name)
                .hasMessageContaining("Async")));

    assertThat(server.waiting()).isZero();
    assertThat(server.sessions.reads).isEmpty();
    assertThat(reply.data().byteSize()).isEqualTo(LONG); // refused there alone
    assertThat(transaction.data().byteSize()).isEqualTo(LONG);
    Blocking.deliver(() -> { // nor does it depend on what others have read before
      assertThat(catchThrowableOfType(IllegalStateException.class, reply::data)).isNotNull();
      assertThat(catchThrowableOfType(IllegalStateException.class, transaction::data)).isNotNull();
    });
  }

  @Test
  void data_whileItIsRead_isEndedByACloseWhereEventsCome() {
    server.sessions.holdReads = true;
    ReceivedTransaction transaction = longTransaction();
    var _ = transaction.over().thenRun(transaction::close);
    CompletableFuture<Throwable> reading = new CompletableFuture<>();
    Thread.startVirtualThread(
        () -> reading.complete(catchThrowableOfType(Throwable.class, transaction::data)));
    await().until(() -> !server.sessions.reads.isEmpty());

    Thread events = Thread.startVirtualThread(() -> server.endTransaction(1));

    await().until(() -> !events.isAlive());
    assertThat(join(reading))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("was freed");
    expectFree(64);
    await().until(server.sessions.readCancelled::isDone);
  }

  @Test
  void data_whileItIsRead_repliesAreClosedAndTransactionsKeptWithoutWaiting() {
    server.sessions.holdReads = true;
    ReceivedTransaction transaction = longTransaction();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread reader =
        Thread.startVirtualThread(
            () -> failure.set(catchThrowableOfType(Throwable.class, transaction::data)));
    await().until(() -> !server.sessions.reads.isEmpty());

    CompletableFuture<Void> kept = CompletableFuture.runAsync(transaction::keep);

    join(kept);
    assertThat(reader.isAlive()).isTrue();
    reader.interrupt();
    await().until(() -> !reader.isAlive());
    assertThat(failure.get())
        .isInstanceOfSatisfying(
            PagetideException.class, e -> assertThat(e.code()).isEqualTo(StatusCode.CANCELLED));
    server.sessions.holdReads = false; // an interrupted read can be done again
    assertThat(transaction.data().byteSize()).isEqualTo(LONG);
    transaction.close();
  }

  @Test
  void data_readByTwoThreads_belongsToOneOfThem() {
    ReceivedTransaction transaction = longTransaction();

    var own = transaction.data();
    var others = join(CompletableFuture.supplyAsync(transaction::data));

    assertThat(others).isEqualTo(own);
    assertThat(own.get(ValueLayout.JAVA_BYTE, 0)).isZero();
    transaction.close();
    assertThat(own.scope().isAlive()).isFalse();
  }
}
