package dev.pagetide.client;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.Accepted;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import dev.pagetide.v1.Transact;
import io.grpc.Status;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** What a sender asks for, and what becomes of its futures; the range is not mapped here. */
final class SenderTest {

  private static final Target STORE = Target.of("store", 1001);

  @AutoClose private final FakeExchange server = new FakeExchange();
  @AutoClose private final PagetideClient client = server.client();
  private final List<Throwable> errors = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    client.close();
    server.close();
  }

  private Sender open() {
    return open(client);
  }

  private Sender open(PagetideClient by) {
    Sender sender =
        by.openSender(SenderOptions.DEFAULT.withErrors((thread, failure) -> errors.add(failure)));
    assertThat(server.next(CommandCase.ATTACH).getAttach().getReceives()).isFalse();
    return sender;
  }

  private static Payload payload(String text) {
    return Payload.of(text.getBytes(StandardCharsets.UTF_8));
  }

  private static <T> T join(CompletableFuture<T> future) {
    await().until(future::isDone);
    return future.join();
  }

  private static PagetideException failure(CompletableFuture<?> future) {
    await().until(future::isDone);
    CompletionException thrown =
        catchThrowableOfType(CompletionException.class, () -> future.join());
    return (PagetideException) requireNonNull(thrown.getCause());
  }

  @Test
  void ask_answered_givesTheReplyAndFreesItOnClose() {
    Sender sender = open();

    CompletableFuture<Reply> asked =
        sender.askAsync(
            STORE,
            7,
            payload("question"),
            AskOptions.DEFAULT.withTimeout(Duration.ofSeconds(5)).withClearOnFree(true));
    ExchangeRequest command = server.next(CommandCase.TRANSACT);
    server.reply(command, 64, "answer");

    Transact transact = command.getTransact();
    assertThat(transact.getTarget()).isEqualTo("store");
    assertThat(transact.getTargetUid()).isEqualTo(1001);
    assertThat(transact.getCode()).isEqualTo(7);
    assertThat(transact.getFlags()).isEqualTo(2);
    assertThat(transact.getTimeoutMs()).isEqualTo(5000);
    assertThat(transact.getPayload().getData().toStringUtf8()).isEqualTo("question");
    Reply reply = join(asked);
    assertThat(reply.data().toArray(ValueLayout.JAVA_BYTE)).asString().isEqualTo("answer");
    assertThat(server.waiting()).isZero();
    var bytes = reply.data();
    reply.close();
    assertThat(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList())
        .containsExactly(64L);
    assertThatThrownBy(() -> bytes.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(reply::data).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void ask_refused_failsWithWhatTheServerSaid() {
    Sender sender = open();

    CompletableFuture<Reply> asked = sender.askAsync(STORE, 7, Payload.NONE);
    server.fail(
        server.next(CommandCase.TRANSACT),
        Status.Code.ABORTED,
        ErrorReason.REFUSED_BY_RECEIVER,
        "no such key");

    PagetideException failure = failure(asked);
    assertThat(failure.code()).isEqualTo(StatusCode.ABORTED);
    assertThat(failure.reason()).contains(ErrorReason.REFUSED_BY_RECEIVER);
    assertThat(failure).hasMessage("no such key");
    assertThat(failure.retryDelay()).contains(Duration.ofMillis(25));
    assertThat(failure.outcomeUnknown()).isFalse();
  }

  @Test
  void ask_targetDied_mayHaveBeenDone_whileAOneWayWasNot() {
    Sender sender = open();

    CompletableFuture<Reply> asked = sender.askAsync(STORE, 7, Payload.NONE);
    CompletableFuture<SendResult> sent = sender.sendAsync(STORE, 7, Payload.NONE);
    for (int i = 0; i < 2; i++) {
      server.fail(
          server.next(CommandCase.TRANSACT),
          Status.Code.FAILED_PRECONDITION,
          ErrorReason.TARGET_DIED,
          "gone");
    }

    assertThat(failure(asked).outcomeUnknown()).isTrue();
    assertThat(failure(sent).outcomeUnknown()).isFalse();
  }

  @Test
  void ask_cancelled_tellsTheServerAndFreesALateReply() {
    Sender sender = open();
    CompletableFuture<Reply> asked = sender.askAsync(STORE, 7, Payload.NONE);
    ExchangeRequest command = server.next(CommandCase.TRANSACT);

    asked.cancel(true);

    ExchangeRequest cancel = server.next(CommandCase.CANCEL);
    assertThat(cancel.getId()).isZero();
    assertThat(cancel.getCancel().getCommand()).isEqualTo(command.getId());
    server.reply(command, 64, "too late");
    assertThat(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList())
        .containsExactly(64L);
  }

  @Test
  void ask_serverSilent_failsSomeTimeAfterItsTimeout() {
    try (PagetideClient impatient =
        server.client(ClientOptions.DEFAULT.withCallTimeout(Duration.ofMillis(50)))) {
      Sender sender = open(impatient);

      PagetideException failure =
          catchThrowableOfType(
              PagetideException.class,
              () ->
                  sender.ask(
                      STORE,
                      1,
                      Payload.NONE,
                      AskOptions.DEFAULT.withTimeout(Duration.ofMillis(50))));

      assertThat(failure.code()).isEqualTo(StatusCode.DEADLINE_EXCEEDED);
      assertThat(failure.outcomeUnknown()).isTrue();
      assertThat(server.next(CommandCase.TRANSACT).getTransact().getTimeoutMs()).isEqualTo(50);
      server.next(CommandCase.CANCEL);
    }
  }

  @Test
  void ask_interrupted_isCancelled() {
    Sender sender = open();
    Thread.currentThread().interrupt();

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> sender.ask(STORE, 1, Payload.NONE));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(failure.code()).isEqualTo(StatusCode.CANCELLED);
    server.next(CommandCase.TRANSACT);
    server.next(CommandCase.CANCEL);
  }

  @Test
  void send_accepted_tellsWhetherItIsSpam() {
    Sender sender = open();

    CompletableFuture<SendResult> sent =
        sender.sendAsync(Target.named("store"), -1, payload("news"), new SendOptions(true));
    ExchangeRequest command = server.next(CommandCase.TRANSACT);
    server.answer(command, event -> event.setAccepted(Accepted.newBuilder().setOneWaySpam(true)));

    assertThat(join(sent).oneWaySpam()).isTrue();
    assertThat(command.getTransact().getFlags()).isEqualTo(3);
    assertThat(command.getTransact().hasTargetUid()).isFalse();
    assertThat(command.getTransact().getCode()).isEqualTo(-1);
  }

  @Test
  void send_moreThanAMessageCarries_isRefusedHere() {
    Sender sender = open();

    PagetideException failure =
        failure(sender.sendAsync(STORE, 1, Payload.of(new byte[FakeServer.MAX_DATA_BYTES + 1])));

    assertThat(failure.reason()).contains(ErrorReason.TOO_MUCH_DATA);
    assertThat(failure).hasMessageContaining("33 bytes").hasMessageContaining("stage it");
    assertThat(server.waiting()).isZero();
  }

  @Test
  void stage_notMapped_isLocalAndTravelsInTheMessage() {
    Sender sender = open();

    StagedBuffer staged = sender.stage(4);
    staged.segment().setString(0, "abc");
    CompletableFuture<SendResult> sent = sender.sendAsync(STORE, 1, Payload.of(staged, 1, 2));
    staged.close();
    ExchangeRequest command = server.next(CommandCase.TRANSACT);
    server.accept(command);

    assertThat(command.getTransact().getPayload().getData().toStringUtf8()).isEqualTo("bc");
    assertThat(join(sent).oneWaySpam()).isFalse();
    assertThatThrownBy(staged::segment).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> sender.send(STORE, 1, Payload.of(staged)))
        .isInstanceOf(IllegalStateException.class);
    assertThat(server.waiting()).isZero();
    assertThat(failure(sender.stageAsync(33)))
        .hasMessageContaining("max_data_bytes=32")
        .hasMessageContaining("not mapped");
  }

  @Test
  void send_stagedByAnother_isRefused() {
    StagedBuffer others = open().stage(4);
    Sender sender = open();

    assertThatThrownBy(() -> sender.send(STORE, 1, Payload.of(others)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("another sender");
    assertThat(server.waiting()).isZero();
  }

  @Test
  void send_tooManyUnanswered_failsAtOnceUntilSomeAre() {
    Sender sender = open();
    List<CompletableFuture<SendResult>> sent = new ArrayList<>();
    for (int i = 0; i < ExchangeStream.MAX_COMMANDS; i++) {
      sent.add(sender.sendAsync(STORE, i, Payload.NONE));
    }

    PagetideException failure = failure(sender.sendAsync(STORE, 1, Payload.NONE));

    assertThat(failure.code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED);
    assertThat(failure.reason()).isEmpty();
    assertThat(failure).hasMessageContaining("1024");
    assertThat(failure.outcomeUnknown()).isFalse();
    assertThat(sent).noneMatch(CompletableFuture::isDone);
    server.accept(server.next(CommandCase.TRANSACT));
    join(sent.getFirst());
    assertThat(sender.sendAsync(STORE, 1, Payload.NONE)).isNotDone();
  }

  @Test
  void send_serverTakesNoCommands_orderIsKeptAndCancelledOnesAreNeverSent() {
    server.takesCommands = false;
    Sender sender = open();
    List<CompletableFuture<SendResult>> sent = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      sent.add(sender.sendAsync(STORE, i, Payload.NONE));
    }
    sent.get(4).cancel(true);
    CompletableFuture<Reply> asked = sender.askAsync(STORE, 99, Payload.NONE);
    asked.cancel(true);
    assertThat(server.waiting()).isZero();

    server.takeCommands();

    for (int i = 0; i < 10; i++) {
      if (i != 4) {
        ExchangeRequest command = server.next(CommandCase.TRANSACT);
        assertThat(command.getTransact().getCode()).isEqualTo(i);
        server.accept(command);
        join(sent.get(i));
      }
    }
    assertThat(server.waiting()).isZero();
  }

  @Test
  void serverDies_everyFutureFails_thoseNotSentSurelyWereNotDone() {
    server.takesCommands = false;
    Sender sender = open();
    CompletableFuture<SendResult> unsent = sender.sendAsync(STORE, 1, Payload.NONE);

    server.die();

    assertThat(failure(unsent).code()).isEqualTo(StatusCode.UNAVAILABLE);
    assertThat(failure(unsent).outcomeUnknown()).isFalse();
    assertThat(join(sender.ended().toCompletableFuture()).cause())
        .isEqualTo(SessionEnd.Cause.SERVER_LOST);
  }

  @Test
  void serverDies_sentAndNotAnswered_outcomeIsUnknown() {
    Sender sender = open();
    CompletableFuture<Reply> asked = sender.askAsync(STORE, 1, Payload.NONE);
    server.next(CommandCase.TRANSACT);

    server.die();

    assertThat(failure(asked).code()).isEqualTo(StatusCode.UNAVAILABLE);
    assertThat(failure(asked).outcomeUnknown()).isTrue();
    assertThat(failure(sender.stageAsync(1)).code()).isEqualTo(StatusCode.UNAVAILABLE);
  }

  @Test
  void sessionEnds_everyFutureFailsAndTheExchangeIsGivenUp() {
    Sender sender = open();
    CompletableFuture<Reply> asked = sender.askAsync(STORE, 1, Payload.NONE);

    server.sessions.endSession(
        FakeServer.refusal(Status.Code.ABORTED, "TABLE_CORRUPT", "word 3 is 3"));

    assertThat(failure(asked)).hasMessageContaining("word 3 is 3");
    await().until(server.cancelled::isDone);
    assertThat(join(sender.ended().toCompletableFuture()).cause())
        .isEqualTo(SessionEnd.Cause.ENDED_BY_SERVER);
  }

  @Test
  void exchangeEnds_everyFutureFailsAndTheSessionIsGivenUp() {
    Sender sender = open();
    CompletableFuture<Reply> asked = sender.askAsync(STORE, 1, Payload.NONE);

    server.endExchange(
        FakeServer.refusal(Status.Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE", "what?"));

    assertThat(failure(asked)).hasMessageContaining("what?");
    await().until(server.sessions.sessionCancelled::isDone);
    assertThat(join(sender.ended().toCompletableFuture()).cause())
        .isEqualTo(SessionEnd.Cause.ENDED_BY_SERVER);
  }

  @Test
  void close_everyFutureFails() {
    Sender sender = open();
    CompletableFuture<Reply> asked = sender.askAsync(STORE, 1, Payload.NONE);

    sender.close();

    assertThat(failure(asked).reason()).contains(ErrorReason.SESSION_ENDED);
    assertThat(failure(sender.sendAsync(STORE, 1, Payload.NONE)).code())
        .isEqualTo(StatusCode.ABORTED);
    await().until(server.sessions.sessionCancelled::isDone);
    await().until(server.cancelled::isDone);
  }

  @Test
  void closeClient_everyFutureFails() {
    CompletableFuture<Reply> asked = open().askAsync(STORE, 1, Payload.NONE);

    client.close();

    assertThat(failure(asked).code()).isEqualTo(StatusCode.ABORTED);
  }

  @Test
  void answer_ofAnotherKind_failsTheFuture() {
    CompletableFuture<Reply> asked = open().askAsync(STORE, 1, Payload.NONE);

    server.accept(server.next(CommandCase.TRANSACT));

    assertThat(failure(asked)).hasMessage("the server answered Transact with ACCEPTED");
  }

  @Test
  void blockingCall_whereAnswersAreDelivered_isRefusedAtOnce() {
    Sender sender = open();
    CompletableFuture<Throwable> nested = new CompletableFuture<>();
    var _ =
        sender
            .sendAsync(STORE, 1, Payload.NONE)
            .thenRun(() ->
                nested.complete(
                    catchThrowableOfType(
                        IllegalStateException.class, () -> sender.send(STORE, 2, Payload.NONE))));

    server.accept(server.next(CommandCase.TRANSACT));

    assertThat(join(nested)).hasMessageContaining("Async");
    assertThat(server.waiting()).isZero();
  }
}
