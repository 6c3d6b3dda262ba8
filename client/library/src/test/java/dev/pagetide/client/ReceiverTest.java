package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import io.grpc.Status;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;

/** What a receiver does with transactions, replies and buffers. */
final class ReceiverTest extends ReceiverCase {

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

    ExchangeRequest reply = server.nextReplyAfterFrees(48);
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

    assertThat(server.nextReplyAfterFrees(16).getReply().getRefusal())
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

    String refusal = server.nextReplyAfterFrees(16).getReply().getRefusal();
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
    server.accept(server.nextReplyAfterFrees(16));

    assertThat(join(second).reason()).contains(ErrorReason.TRANSACTION_OVER);
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
        server.next(CommandCase.REPLY), Status.Code.OUT_OF_RANGE, ErrorReason.PAST_END, "no");
    ExchangeRequest good = server.next(CommandCase.REPLY);
    assertThat(good.getReply().getPayload().getData().toStringUtf8()).isEqualTo("good");
    server.accept(good);

    assertThat(join(first).reason()).contains(ErrorReason.PAST_END);
    expectFree(16);
    assertThat(server.waiting()).isZero();
  }

  @Test
  void reply_failsAfterTheHandlerReturned_isRefused() {
    open(transaction -> {
      var _ = transaction.replyAsync(payload("bad"));
    });

    server.transact(1, false, TEXT);
    ExchangeRequest reply = server.nextReplyAfterFrees(16);
    expectFree(16); // the handler has returned
    server.fail(reply, Status.Code.OUT_OF_RANGE, ErrorReason.PAST_END, "no");

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
        .contains(ErrorReason.TRANSACTION_OVER);
    assertThat(text(transaction)).isEqualTo(TEXT); // its buffer stays
    transaction.close();
    expectFree(16);
    assertThat(server.waiting()).isZero();
  }
}
