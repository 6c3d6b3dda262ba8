package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.Transaction;
import dev.pagetide.v1.TransactionFlag;
import io.grpc.ManagedChannel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which thread gives transactions to an executor that runs them on the thread that gives them. */
final class GivingOutTest extends ReceiverCase {

  private static final int MANY = 50_000;

  /** The pool's thread runs the second handler where the first has returned. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void ask_whereTheLastHandlerReturned_needsAnotherHandler_bothRun(boolean firstIsOneWay) {
    CompletableFuture<Sender> own = new CompletableFuture<>();
    CompletableFuture<Void> first = new CompletableFuture<>();
    CompletableFuture<Void> third = new CompletableFuture<>();
    CompletableFuture<Thread> poolThread = new CompletableFuture<>();
    Semaphore hold = new Semaphore(0);
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new SynchronousQueue<>(),
            new ThreadPoolExecutor.CallerRunsPolicy());
    try {
      Receiver receiver =
          open(
              options().withMaxQueued(1).withExecutor(pool),
              transaction -> {
                switch (transaction.code()) {
                  case 1 -> {
                    first.complete(null);
                    hold.acquire();
                  }
                  case 4 -> {
                    transaction.keep();
                    poolThread.complete(Thread.currentThread());
                  }
                  case 2 -> own.join().ask(Target.named("other"), 9, Payload.NONE).close();
                  default -> third.complete(null);
                }
              });
      own.complete(receiver.sender());
      server.transact(4, false, TEXT); // waits for its reply, so more is asked for all the time
      Thread thread = join(poolThread);
      await().until(() -> thread.getState() == Thread.State.WAITING); // for another task
      server.transact(1, firstIsOneWay, TEXT);
      join(first);
      server.transact(2, false, TEXT);
      server.transact(3, true, TEXT);

      hold.release();

      ExchangeRequest asked = server.next();
      while (!asked.hasTransact()) {
        asked = server.next(); // what became of the first
      }
      join(third);
      server.reply(asked, 160, "");
      assertThat(errors).isEmpty();
    } finally {
      client.close(); // ends the wait of a handler, so the pool can end
      pool.shutdownNow();
    }
  }

  /** FORBIDDEN: a handler under {@code Runnable::run} on a thread that only submits commands. */
  @Test
  void transaction_othersSubmitAtTheSameTime_isGivenOutWhereEventsCome() throws Exception {
    AtomicInteger handled = new AtomicInteger();
    AtomicInteger elsewhere = new AtomicInteger();
    TransactionQueue queue =
        queue(
            options()
                .withExecutor(task -> {
                  if (!Blocking.isDelivering()) {
                    elsewhere.incrementAndGet();
                  }
                  task.run();
                }),
            transaction -> handled.incrementAndGet());
    AtomicBoolean over = new AtomicBoolean();
    AtomicInteger submitted = new AtomicInteger();
    Thread sender =
        Thread.ofPlatform()
            .start(() -> {
              while (!over.get()) {
                queue.submitted();
                submitted.incrementAndGet();
              }
            });

    try {
      for (int i = 1; i <= MANY && elsewhere.get() == 0; i++) {
        Transaction wire =
            Transaction.newBuilder()
                .setTransaction(i)
                .setData(ByteString.EMPTY)
                .setFlags(TransactionFlag.TRANSACTION_FLAG_ONE_WAY_VALUE)
                .build();
        Blocking.deliver(() -> queue.transaction(wire));
      }
    } finally {
      over.set(true);
      sender.join();
    }

    assertThat(elsewhere).hasValue(0);
    assertThat(handled).hasValue(MANY);
    assertThat(submitted).hasPositiveValue();
    assertThat(errors).isEmpty();
  }

  /** A receiver's queue whose stream brings nothing by itself. */
  private TransactionQueue queue(ReceiverOptions options, TransactionHandler handler) {
    ManagedChannel channel = server.channel();
    SessionStream session = SessionStream.start(channel, OpenRangeRequest.getDefaultInstance());
    join(session.opened());
    Opened opened = server.sessions.opened;
    SessionTicket ticket =
        new SessionTicket(
            opened.getSession(),
            opened.getRangeId(),
            opened.getPageSize(),
            opened.getPageCount(),
            opened.getMaxDataBytes(),
            opened.getServerInstance());
    TransactionQueue queue = new TransactionQueue(options, handler);
    Endpoint endpoint =
        Endpoint.start(
            channel,
            new UnaryCalls(channel, ClientOptions.DEFAULT),
            new OpenedSession(ticket, session, null, "the test maps nothing"),
            queue);
    queue.serve(endpoint);
    join(endpoint.attach(true));
    server.next(CommandCase.ATTACH);
    return queue;
  }
}
