package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Transaction;
import io.grpc.Status;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;

/** In which order and how many at a time transactions are handled, and how a receiver ends. */
final class ReceiverFlowTest extends ReceiverCase {

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
    server.accept(server.nextReplyAfterFrees(21 * 16)); // the two-way one overtakes
    await().until(() -> order.contains(1)); // each has a thread of its own
    assertThat(order).containsExactlyInAnyOrder(1, 21);
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

    ExchangeRequest reply = server.nextReplyAfterFrees(160, 16);
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
    server.fail(free, Status.Code.FAILED_PRECONDITION, ErrorReason.NOT_A_BUFFER, "freed already");

    await().until(() -> !errors.isEmpty());
    assertThat(errors).hasSize(1);
    assertThat(errors.getFirst()).hasMessage("freed already");
  }

  @Test
  void handle_onTheEventLoop_replyWorksAndOtherBlockingIsRefused() {
    CompletableFuture<Sender> own = new CompletableFuture<>();
    CompletableFuture<Throwable> blocked = new CompletableFuture<>();
    CompletableFuture<PagetideException> second = new CompletableFuture<>();
    Receiver receiver =
        open(
            options().withExecutor(Runnable::run),
            transaction -> {
              try {
                own.join().send(Target.named("other"), 9, Payload.NONE);
              } catch (IllegalStateException e) {
                blocked.complete(e);
              }
              transaction.reply(payload("sync"));
              second.complete(
                  catchThrowableOfType(
                      PagetideException.class, () -> transaction.reply(Payload.NONE)));
            });
    own.complete(receiver.sender());

    server.transact(1, false, TEXT);

    assertThat(join(blocked)).hasMessageContaining("Async");
    ExchangeRequest reply = server.next(CommandCase.REPLY);
    assertThat(reply.getReply().getPayload().getData().toStringUtf8()).isEqualTo("sync");
    assertThat(reply.getReply().getRefusal()).isEmpty();
    server.accept(reply);
    expectFree(16);
    assertThat(join(second).reason()).contains(ErrorReason.TRANSACTION_OVER);
    assertThat(server.waiting()).isZero();
    assertThat(errors).isEmpty();
  }

  @Test
  void reply_onTheEventLoopFailsLater_askerIsToldWhy() {
    open(options().withExecutor(Runnable::run), transaction -> transaction.reply(payload("bad")));

    server.transact(1, false, TEXT);
    ExchangeRequest reply = server.nextReplyAfterFrees(16);
    expectFree(16);
    server.fail(reply, Status.Code.OUT_OF_RANGE, ErrorReason.PAST_END, "too far");

    assertThat(server.next(CommandCase.REPLY).getReply().getRefusal()).contains("too far");
    await().until(() -> !errors.isEmpty());
    assertThat(errors).singleElement().asString().contains("too far");
  }

  @Test
  void close_withABacklog_handlesNoneOfItAndReportsNothing() {
    Semaphore hold = new Semaphore(0);
    CompletableFuture<Void> handled = new CompletableFuture<>();
    List<Runnable> twoWay = new CopyOnWriteArrayList<>();
    List<Integer> codes = new CopyOnWriteArrayList<>();
    Receiver receiver =
        open(
            options()
                .withExecutor(task -> {
                  if (twoWay.isEmpty()) {
                    Thread.startVirtualThread(() -> {
                      task.run();
                      handled.complete(null); // the lane of one-way ones is empty
                    });
                  }
                  twoWay.add(task);
                }),
            transaction -> {
              codes.add(transaction.code());
              hold.acquire();
              throw PagetideException.local(StatusCode.ABORTED, "its bytes are gone");
            });
    for (int i = 1; i <= 20; i++) {
      server.transact(i, true, TEXT);
    }
    server.transact(21, false, TEXT);
    await().until(() -> !codes.isEmpty() && twoWay.size() == 2);

    receiver.close();
    hold.release(100);
    join(handled);
    twoWay.getLast().run();

    assertThat(codes).containsExactly(1);
    assertThat(errors).isEmpty();
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
    assertThat(server.nextReplyAfterFrees(16).getReply().getRefusal()).contains("full");
    expectFree(16);
    server.transact(2, true, TEXT);
    expectFree(32);
    server.transact(3, true, TEXT);
    expectFree(48);

    assertThat(errors).hasSize(2);
  }

  @Test
  void close_whileHandlersRun_repliesFailAndWhoKeepsItCanCloseIt() {
    CompletableFuture<Void> running = new CompletableFuture<>();
    Semaphore closed = new Semaphore(0);
    CompletableFuture<PagetideException> reply = new CompletableFuture<>();
    CompletableFuture<String> bytes = new CompletableFuture<>();
    Receiver receiver =
        open(transaction -> {
          MemorySegment data = transaction.data();
          running.complete(null);
          closed.acquire();
          bytes.complete(text(data));
          reply.complete(
              catchThrowableOfType(PagetideException.class, () -> transaction.reply(Payload.NONE)));
        });
    server.transact(1, false, TEXT);
    join(running);

    receiver.close();
    receiver.close();
    closed.release();

    assertThat(join(bytes)).isEqualTo(TEXT);
    assertThat(join(reply).code()).isIn(StatusCode.FAILED_PRECONDITION, StatusCode.ABORTED);
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
          assertThat(failure.code()).isEqualTo(StatusCode.UNAVAILABLE);
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

  @Test
  void over_asManyHandlersRunAsMay_isTold() {
    CompletableFuture<Void> told = new CompletableFuture<>();
    open(
        options().withMaxQueued(1),
        transaction -> {
          transaction.over().toCompletableFuture().join();
          told.complete(null);
        });
    server.transact(1, false, TEXT);
    server.transact(2, true, TEXT); // its handler waits for the first one's

    server.endTransaction(1);

    join(told);
    expectFree(16, 32);
    await().until(server::isAskedForMore);
    assertThat(errors).isEmpty();
  }

  @Test
  void handle_asManyRunAsMay_othersWaitInOrderAndThoseGivenUpAreDropped() {
    List<Runnable> tasks = new CopyOnWriteArrayList<>();
    List<Integer> codes = new CopyOnWriteArrayList<>();
    open(
        options().withMaxQueued(2).withExecutor(tasks::add),
        transaction -> codes.add(transaction.code()));
    for (int i = 1; i <= 10; i++) {
      server.transact(i, i % 2 == 0, TEXT);
    }
    assertThat(tasks).hasSize(2); // the first, and the lane

    server.endTransaction(5);
    server.endTransaction(7);

    expectFree(5 * 16, 7 * 16);
    assertThat(tasks).hasSize(2);
    for (int i = 0; i < tasks.size(); i++) { // more come meanwhile
      tasks.get(i).run();
    }
    assertThat(codes).containsExactlyInAnyOrder(1, 2, 3, 4, 6, 8, 9, 10);
    assertThat(codes.stream().filter(code -> code % 2 == 0)).containsExactly(2, 4, 6, 8, 10);
  }

  @Test
  void handle_waitsForAnAnswerThatNeedsAnotherHandler_bothRun() {
    CompletableFuture<Sender> own = new CompletableFuture<>();
    CompletableFuture<ReceivedTransaction> nested = new CompletableFuture<>();
    Receiver receiver =
        open(
            options().withMaxQueued(1),
            transaction -> {
              if (transaction.code() == 1) {
                own.join().ask(Target.named("other"), 9, Payload.NONE).close();
              } else {
                nested.complete(transaction);
              }
            });
    own.complete(receiver.sender());
    server.transact(1, false, TEXT);
    ExchangeRequest asked = server.next(CommandCase.TRANSACT);

    server.transact(2, true, TEXT);

    join(nested);
    expectFree(32);
    server.reply(asked, 160, "");
    assertThat(server.nextReplyAfterFrees(160, 16).getReply().getRefusal())
        .contains("returned without a reply");
  }

  @Test
  void transaction_afterTheEnd_isOverAndNotHandled() {
    List<ReceivedTransaction> kept = new CopyOnWriteArrayList<>();
    CompletableFuture<Receiver> own = new CompletableFuture<>();
    own.complete(
        open(
            options().withExecutor(Runnable::run),
            transaction -> {
              transaction.keep();
              kept.add(transaction);
              own.join().close();
            }));

    server.send(
        ExchangeResponse.newBuilder()
            .setTransaction(Transaction.newBuilder().setTransaction(1))
            .addAlso(
                ExchangeResponse.newBuilder()
                    .setTransaction(Transaction.newBuilder().setTransaction(2)))
            .build());

    assertThat(kept).hasSize(1);
    assertThat(kept.getFirst().over().toCompletableFuture()).isCompleted();
    assertThat(join(own.join().ended().toCompletableFuture()).cause())
        .isEqualTo(SessionEnd.Cause.CLOSED);
    assertThat(errors).isEmpty();
  }
}
