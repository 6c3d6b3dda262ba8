package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import io.grpc.Status;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a receiver does with transactions, replies and buffers; the range is not mapped here. */
final class ReceiverTest {

  private static final String TEXT = "twelve bytes";

  private final FakeExchange server = new FakeExchange();
  private final PagetideClient client = server.client();
  private final List<Throwable> errors = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    client.close();
    server.close();
  }

  private ReceiverOptions options() {
    return ReceiverOptions.named("store")
        .withSizeBytes(1024)
        .withErrors((thread, failure) -> errors.add(failure));
  }

  private Receiver open(TransactionHandler handler) {
    return open(options(), handler);
  }

  private Receiver open(ReceiverOptions options, TransactionHandler handler) {
    Receiver receiver = client.openReceiver(options, handler);
    var attach = server.next(CommandCase.ATTACH).getAttach();
    assertThat(attach.getReceives()).isTrue();
    assertThat(attach.getDeliverData()).isTrue();
    return receiver;
  }

  private static String text(ReceivedTransaction transaction) {
    return text(transaction.data());
  }

  private static String text(MemorySegment bytes) {
    return new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }

  private static Payload payload(String text) {
    return Payload.of(text.getBytes(StandardCharsets.UTF_8));
  }

  private void expectFree(long... offsets) {
    List<Long> expected = new ArrayList<>();
    for (long offset : offsets) {
      expected.add(offset);
    }
    List<Long> freed = new ArrayList<>();
    while (freed.size() < expected.size()) {
      freed.addAll(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList());
    }
    assertThat(freed).containsExactlyInAnyOrderElementsOf(expected);
  }

  private static <T> T join(CompletableFuture<T> future) {
    await().until(future::isDone);
    return future.join();
  }

  @Test
  void handle_twoWay_seesWhatWasSentAndReplies() {
    CompletableFuture<SenderIdentity> sender = new CompletableFuture<>();
    open(transaction -> {
      sender.complete(transaction.sender());
      assertThat(transaction.isOneWay()).isFalse();
      assertThat(transaction.code()).isEqualTo(3);
      var _ = transaction.replyAsync(payload(text(transaction).toUpperCase(java.util.Locale.ROOT)));
    });

    server.transact(3, false, TEXT);

    ExchangeRequest reply = server.next(CommandCase.REPLY);
    assertThat(reply.getReply().getTransaction()).isEqualTo(3);
    assertThat(reply.getReply().getPayload().getData().toStringUtf8()).isEqualTo("TWELVE BYTES");
    assertThat(reply.getReply().getRefusal()).isEmpty();
    server.accept(reply);
    expectFree(48);
    assertThat(sender.join())
        .isEqualTo(new SenderIdentity("asker", OptionalLong.of(1000), OptionalInt.of(42)));
    assertThat(server.waiting()).isZero();
    assertThat(errors).isEmpty();
  }

  @Test
  void data_afterTheHandlerReturned_isDead() {
    CompletableFuture<MemorySegment> bytes = new CompletableFuture<>();
    open(transaction -> bytes.complete(transaction.data()));

    server.transact(1, true, TEXT);
    expectFree(16);

    assertThat(join(bytes).isReadOnly()).isTrue();
    assertThat(bytes.join().scope().isAlive()).isFalse();
  }

  @Test
  void data_afterClose_accessThrows() {
    CompletableFuture<Throwable> late = new CompletableFuture<>();
    open(transaction -> {
      MemorySegment bytes = transaction.data();
      transaction.close();
      try {
        late.complete(new AssertionError("read " + bytes.get(ValueLayout.JAVA_BYTE, 0)));
      } catch (IllegalStateException e) {
        late.complete(e);
      }
    });

    server.transact(1, true, TEXT);

    assertThat(join(late)).isInstanceOf(IllegalStateException.class);
    expectFree(16);
    assertThat(server.waiting()).isZero();
  }

  @Test
  void data_ofAnotherThreadWithoutKeep_staysAndIsReported() throws InterruptedException {
    CompletableFuture<MemorySegment> others = new CompletableFuture<>();
    Semaphore done = new Semaphore(0);
    open(transaction -> {
      Thread.ofVirtual()
          .start(() -> {
            others.complete(transaction.data());
            done.acquireUninterruptibly();
          });
      others.join();
    });

    server.transact(1, true, TEXT);
    await().until(() -> !errors.isEmpty());

    assertThat(errors.getFirst()).hasMessageContaining("keep()");
    assertThat(others.join().scope().isAlive()).isTrue();
    assertThat(server.waiting()).isZero();
    done.release();
  }

  @Test
  void data_longerThanAMessage_isReadInPieces() {
    byte[] all = server.sessions.bytes;
    for (int i = 0; i < all.length; i++) {
      all[i] = (byte) (i * 7);
    }
    CompletableFuture<byte[]> read = new CompletableFuture<>();
    open(transaction -> read.complete(transaction.data().toArray(ValueLayout.JAVA_BYTE)));

    server.transact(
        dev.pagetide.v1.Transaction.newBuilder()
            .setTransaction(1)
            .setOffset(64)
            .setSize(100)
            .setFlags(1));

    assertThat(join(read)).isEqualTo(java.util.Arrays.copyOfRange(all, 64, 164));
    assertThat(server.sessions.reads).hasSize(4); // of at most 32 bytes
    expectFree(64);
  }

  @Test
  void keep_freesNothingUntilClosed_onAnotherThreadToo() {
    CompletableFuture<ReceivedTransaction> kept = new CompletableFuture<>();
    open(transaction -> {
      assertThat(text(transaction)).isEqualTo(TEXT);
      transaction.keep();
      kept.complete(transaction);
    });

    server.transact(1, true, TEXT);
    ReceivedTransaction transaction = join(kept);
    assertThat(text(transaction)).isEqualTo(TEXT);
    assertThat(server.waiting()).isZero();

    transaction.close();
    transaction.close();

    expectFree(16);
    assertThatThrownBy(transaction::data).isInstanceOf(IllegalStateException.class);
    assertThat(server.waiting()).isZero();
  }

  @Test
  void handle_returnsWithoutReply_isRefused() {
    open(transaction -> {});

    server.transact(1, false, TEXT);

    assertThat(server.next(CommandCase.REPLY).getReply().getRefusal())
        .contains("returned without a reply");
    expectFree(16);
  }

  @Test
  void close_keptAndNotAnswered_isRefused() {
    CompletableFuture<ReceivedTransaction> kept = new CompletableFuture<>();
    open(transaction -> {
      transaction.keep();
      kept.complete(transaction);
    });

    server.transact(1, false, TEXT);
    join(kept).close();

    // The free goes its own way, so either may come first.
    await().until(() -> server.waiting() == 2);
    assertThat(List.of(server.next(), server.next()))
        .anyMatch(command ->
            command.getReply().getRefusal().contains("closed the transaction without a reply"))
        .anyMatch(command -> command.getFreeBuffers().getOffsetsList().equals(List.of(16L)));
  }

  @Test
  void handle_twoWayThrows_isRefusedWithItsMessageAndFreed() {
    open(transaction -> {
      throw new IllegalArgumentException("no such key: " + "x".repeat(2000));
    });

    server.transact(1, false, TEXT);

    String refusal = server.next(CommandCase.REPLY).getReply().getRefusal();
    assertThat(refusal).contains("IllegalArgumentException: no such key");
    assertThat(refusal.getBytes(StandardCharsets.UTF_8)).hasSize(1024);
    expectFree(16);
    assertThat(errors).isEmpty();
  }

  @Test
  void handle_oneWayThrows_goesToTheErrorsAndFreesAndTheNextIsHandled() {
    List<Integer> codes = new CopyOnWriteArrayList<>();
    open(transaction -> {
      codes.add(transaction.code());
      throw new IllegalStateException("broken");
    });

    server.transact(1, true, TEXT);
    server.transact(2, true, TEXT);

    expectFree(16, 32);
    assertThat(codes).containsExactly(1, 2);
    assertThat(errors).hasSize(2).allMatch(e -> "broken".equals(e.getMessage()));
    assertThat(server.waiting()).isZero();
  }

  @Test
  void reply_twice_failsCleanlyAndSendsOne() {
    CompletableFuture<PagetideException> second = new CompletableFuture<>();
    open(transaction -> {
      var _ = transaction.replyAsync(Payload.NONE);
      second.complete(
          catchThrowableOfType(PagetideException.class, () -> transaction.reply(payload("again"))));
      transaction.refuse("too late");
    });

    server.transact(1, false, TEXT);
    server.accept(server.next(CommandCase.REPLY));

    assertThat(join(second).reason()).contains(ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    expectFree(16);
    assertThat(server.waiting()).isZero();
  }

  @Test
  void reply_oneWay_fails() {
    CompletableFuture<PagetideException> failure = new CompletableFuture<>();
    open(transaction ->
        failure.complete(
            catchThrowableOfType(PagetideException.class, () -> transaction.reply(Payload.NONE))));

    server.transact(1, true, TEXT);

    assertThat(join(failure)).hasMessageContaining("one-way");
    expectFree(16);
  }

  @Test
  void reply_failsForItsPayload_canBeTriedAgain() {
    CompletableFuture<PagetideException> first = new CompletableFuture<>();
    open(transaction -> {
      first.complete(
          catchThrowableOfType(PagetideException.class, () -> transaction.reply(payload("bad"))));
      transaction.reply(payload("good"));
    });

    server.transact(1, false, TEXT);
    server.fail(
        server.next(CommandCase.REPLY),
        Status.Code.OUT_OF_RANGE,
        ErrorReason.ERROR_REASON_PAST_END,
        "no");
    ExchangeRequest good = server.next(CommandCase.REPLY);
    assertThat(good.getReply().getPayload().getData().toStringUtf8()).isEqualTo("good");
    server.accept(good);

    assertThat(join(first).reason()).contains(ErrorReason.ERROR_REASON_PAST_END);
    expectFree(16);
    assertThat(server.waiting()).isZero();
  }

  @Test
  void reply_failsAfterTheHandlerReturned_isRefused() {
    open(transaction -> {
      var _ = transaction.replyAsync(payload("bad"));
    });

    server.transact(1, false, TEXT);
    ExchangeRequest reply = server.next(CommandCase.REPLY);
    expectFree(16); // the handler has returned
    server.fail(reply, Status.Code.OUT_OF_RANGE, ErrorReason.ERROR_REASON_PAST_END, "no");

    assertThat(server.next(CommandCase.REPLY).getReply().getRefusal()).contains("without a reply");
  }

  @Test
  void transactionEnded_isToldAndALaterReplyIsNotSent() {
    CompletableFuture<ReceivedTransaction> kept = new CompletableFuture<>();
    open(transaction -> {
      transaction.keep();
      kept.complete(transaction);
    });
    server.transact(1, false, TEXT);
    ReceivedTransaction transaction = join(kept);
    assertThat(transaction.isOver()).isFalse();
    CompletableFuture<Void> over = transaction.over().toCompletableFuture();
    assertThat(over).isNotDone();

    server.endTransaction(1);

    await().until(over::isDone);
    assertThat(transaction.isOver()).isTrue();
    assertThat(
            catchThrowableOfType(PagetideException.class, () -> transaction.reply(Payload.NONE))
                .reason())
        .contains(ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    assertThat(text(transaction)).isEqualTo(TEXT); // its buffer stays
    transaction.close();
    expectFree(16);
    assertThat(server.waiting()).isZero();
  }

  @Test
  void handle_oneWays_oneAfterTheOtherInOrder_whileTwoWaysOverlap() {
    Semaphore first = new Semaphore(0);
    List<Integer> order = new CopyOnWriteArrayList<>();
    open(transaction -> {
      order.add(transaction.code());
      if (transaction.code() == 1) {
        first.acquire();
      }
    });

    for (int i = 1; i <= 20; i++) {
      server.transact(i, true, TEXT);
    }
    server.transact(21, false, TEXT);
    server.accept(server.next(CommandCase.REPLY)); // the two-way one overtakes
    assertThat(order).containsExactly(1, 21);
    first.release();

    await().until(() -> order.size() == 21);
    List<Integer> oneWays = order.stream().filter(code -> code != 21).toList();
    assertThat(oneWays).isSorted().hasSize(20);
  }

  @Test
  void handle_neverReturns_serverIsAskedForSoManyOnly() {
    Semaphore hold = new Semaphore(0);
    open(options().withMaxQueued(4), transaction -> hold.acquire());

    int sent = 0;
    while (server.isAskedForMore() && sent < 100) {
      sent++;
      server.transact(sent, true, TEXT);
    }

    assertThat(sent).isEqualTo(4);
    hold.release();
    await().until(server::isAskedForMore);
    server.transact(5, true, TEXT);
    assertThat(server.isAskedForMore()).isFalse();
    hold.release(10);
  }

  @Test
  void handle_allWaitForAnswersOfTheirOwnStream_answersStillCome() {
    CompletableFuture<Sender> own = new CompletableFuture<>();
    Receiver receiver =
        open(
            options().withMaxQueued(1),
            transaction -> {
              try (Reply reply = own.join().ask(Target.named("other"), 9, Payload.NONE)) {
                var _ = transaction.replyAsync(payload(text(reply.data())));
              }
            });
    own.complete(receiver.sender());

    server.transact(1, false, TEXT);
    ExchangeRequest asked = server.next(CommandCase.TRANSACT);
    await().until(server::isAskedForMore);
    server.reply(asked, 160, "nested");

    ExchangeRequest reply = server.next(CommandCase.REPLY);
    assertThat(reply.getReply().getPayload().getData().toStringUtf8()).isEqualTo("nested");
    server.accept(reply);
    expectFree(160, 16);
  }

  @Test
  void free_manyAtOnce_areFewMessages() {
    List<ReceivedTransaction> kept = new CopyOnWriteArrayList<>();
    open(
        options().withMaxQueued(10_000),
        transaction -> {
          transaction.keep();
          kept.add(transaction);
        });
    int many = 5000;
    for (int i = 1; i <= many; i++) {
      server.transact(i, true, "");
    }
    await().until(() -> kept.size() == many);

    kept.forEach(ReceivedTransaction::close);

    int freed = 0;
    int messages = 0;
    while (freed < many) {
      int offsets = server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsCount();
      assertThat(offsets).isBetween(1, 4096);
      freed += offsets;
      messages++;
    }
    assertThat(freed).isEqualTo(many);
    assertThat(messages).isLessThan(many / 2);
    assertThat(server.waiting()).isZero();
  }

  @Test
  void free_fails_goesToTheErrors() {
    open(transaction -> {});

    server.transact(1, true, TEXT);
    ExchangeRequest free = server.next(CommandCase.FREE_BUFFERS);
    assertThat(free.getId()).isZero();
    server.fail(
        free,
        Status.Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_NOT_A_BUFFER,
        "freed already");

    await().until(() -> !errors.isEmpty());
    assertThat(errors).hasSize(1);
    assertThat(errors.getFirst()).hasMessage("freed already");
  }

  @Test
  void handle_onTheEventLoop_blockingIsRefusedAndReplyAsyncWorks() {
    CompletableFuture<Throwable> blocked = new CompletableFuture<>();
    open(
        options().withExecutor(Runnable::run),
        transaction -> {
          try {
            transaction.reply(Payload.NONE);
          } catch (IllegalStateException e) {
            blocked.complete(e);
          }
          var _ = transaction.replyAsync(payload("async"));
        });

    server.transact(1, false, TEXT);

    assertThat(join(blocked)).hasMessageContaining("Async");
    ExchangeRequest reply = server.next(CommandCase.REPLY);
    assertThat(reply.getReply().getPayload().getData().toStringUtf8()).isEqualTo("async");
  }

  @Test
  void execute_rejected_isRefusedAndFreed() {
    open(
        options()
            .withExecutor(task -> {
              throw new RejectedExecutionException("full");
            }),
        transaction -> {});

    server.transact(1, false, TEXT);
    assertThat(server.next(CommandCase.REPLY).getReply().getRefusal()).contains("full");
    expectFree(16);
    server.transact(2, true, TEXT);
    expectFree(32);
    server.transact(3, true, TEXT);
    expectFree(48);

    assertThat(errors).hasSize(2);
  }

  @Test
  void close_whileHandlersRun_repliesFailAndWhoKeepsItCanCloseIt() {
    Semaphore closed = new Semaphore(0);
    CompletableFuture<PagetideException> reply = new CompletableFuture<>();
    CompletableFuture<String> bytes = new CompletableFuture<>();
    Receiver receiver =
        open(transaction -> {
          MemorySegment data = transaction.data();
          closed.acquire();
          bytes.complete(text(data));
          reply.complete(
              catchThrowableOfType(PagetideException.class, () -> transaction.reply(Payload.NONE)));
        });
    server.transact(1, false, TEXT);

    receiver.close();
    receiver.close();
    closed.release();

    assertThat(join(bytes)).isEqualTo(TEXT);
    assertThat(join(reply).code()).isIn(Status.Code.FAILED_PRECONDITION, Status.Code.ABORTED);
    assertThat(join(receiver.ended().toCompletableFuture()).cause())
        .isEqualTo(SessionEnd.Cause.CLOSED);
    await().until(server.cancelled::isDone);
    await().until(server.sessions.sessionCancelled::isDone);
    assertThat(errors).isEmpty();
  }

  @Test
  void serverDies_waitingTransactionsAreOver() {
    CompletableFuture<ReceivedTransaction> kept = new CompletableFuture<>();
    Receiver receiver =
        open(transaction -> {
          transaction.keep();
          kept.complete(transaction);
        });
    server.transact(1, false, TEXT);
    ReceivedTransaction transaction = join(kept);

    server.die();

    join(transaction.over().toCompletableFuture());
    assertThat(join(receiver.ended().toCompletableFuture()).cause())
        .isEqualTo(SessionEnd.Cause.SERVER_LOST);
    assertThat(
            catchThrowableOfType(
                PagetideException.class,
                () -> receiver.sender().send(Target.named("x"), 1, Payload.NONE)))
        .satisfies(failure -> {
          assertThat(failure.code()).isEqualTo(Status.Code.UNAVAILABLE);
          assertThat(failure.outcomeUnknown()).isFalse();
        });
    transaction.close();
  }

  @Test
  void open_attachFails_givesTheSessionUp() {
    server.answersAttach = false;
    CompletableFuture<Receiver> opening = client.openReceiverAsync(options(), transaction -> {});
    server.next(CommandCase.ATTACH);

    server.endExchange(
        FakeServer.refusal(Status.Code.FAILED_PRECONDITION, "ALREADY_ATTACHED", "twice"));

    assertThatThrownBy(opening::join)
        .cause()
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("twice");
    await().until(server.sessions.sessionCancelled::isDone);
  }

  @Test
  void open_cancelled_givesTheSessionUp() {
    server.answersAttach = false;
    CompletableFuture<Receiver> opening = client.openReceiverAsync(options(), transaction -> {});
    server.next(CommandCase.ATTACH);

    opening.cancel(true);

    await().until(server.sessions.sessionCancelled::isDone);
    await().until(server.cancelled::isDone);
  }
}
