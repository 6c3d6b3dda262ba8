package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.v1.Transaction;
import io.grpc.Status;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * The way of transactions from the stream to the handler: two-way ones each by itself, one-way ones
 * through one lane, in their order. Thread-safe.
 *
 * <p>Once the receiver has ended, the handler is not called for transactions that still wait: their
 * bytes are gone, and the server has told their askers that the receiver died.
 */
final class TransactionQueue implements ExchangeStream.News {

  private final TransactionHandler handler;
  private final Executor executor;
  private final Thread.UncaughtExceptionHandler errors;

  /** Two-way transactions that somebody waits for. */
  @GuardedBy("this")
  private final Map<Long, ReceivedTransaction> waitedFor = new HashMap<>();

  /** One-way transactions that the handler is not called for yet. */
  @GuardedBy("this")
  private final ArrayDeque<ReceivedTransaction> lane = new ArrayDeque<>();

  @GuardedBy("this")
  private boolean laneRuns;

  private @Nullable Party party;

  TransactionQueue(ReceiverOptions options, TransactionHandler handler) {
    this.handler = handler;
    this.executor = options.executor();
    this.errors = options.errors();
  }

  /** Says whose transactions these are; before the first comes. */
  void serve(Party receiver) {
    party = receiver;
  }

  private Party party() {
    Party ours = party;
    if (ours == null) {
      throw new IllegalStateException("a transaction before the party was attached");
    }
    return ours;
  }

  /** Tells of a failure that nobody waits for. */
  void report(Throwable failure) {
    errors.uncaughtException(Thread.currentThread(), failure);
  }

  /** Whether {@code failure} only says that the receiver has ended, which it tells by itself. */
  boolean isOfTheEnd(Throwable failure) {
    return failure instanceof PagetideException said
        && said.code() == Status.Code.ABORTED
        && party().hasEnded();
  }

  /** Nobody waits for {@code transaction} any more. */
  synchronized void forget(long transaction) {
    waitedFor.remove(transaction);
  }

  @Override
  public void transaction(Transaction wire) {
    ReceivedTransaction transaction;
    try {
      transaction = ReceivedTransaction.of(party(), this, wire);
    } catch (PagetideException e) {
      report(e);
      party().stream().handled();
      return;
    }
    if (!transaction.isOneWay()) {
      synchronized (this) {
        waitedFor.put(wire.getTransaction(), transaction);
      }
      execute(() -> handle(transaction), transaction);
      return;
    }
    synchronized (this) {
      lane.add(transaction);
      if (laneRuns) {
        return;
      }
      laneRuns = true;
    }
    execute(this::runLane, transaction);
  }

  private void execute(Runnable task, ReceivedTransaction cause) {
    try {
      executor.execute(task);
    } catch (RejectedExecutionException e) {
      if (cause.isOneWay()) {
        rejectLane(e);
      } else {
        rejected(cause, e);
      }
    }
  }

  /** Nothing of the lane can be handled; the next one-way transaction tries again. */
  private void rejectLane(RejectedExecutionException e) {
    List<ReceivedTransaction> all;
    synchronized (this) {
      laneRuns = false;
      all = new ArrayList<>(lane);
      lane.clear();
    }
    all.forEach(transaction -> rejected(transaction, e));
  }

  private void rejected(ReceivedTransaction transaction, RejectedExecutionException e) {
    if (party().hasEnded()) {
      transaction.drop();
    } else {
      transaction.threw(e);
    }
    party().stream().handled();
  }

  private void runLane() {
    while (true) {
      ReceivedTransaction next;
      synchronized (this) {
        next = lane.poll();
        if (next == null) {
          laneRuns = false;
          return;
        }
      }
      handle(next);
    }
  }

  private void handle(ReceivedTransaction transaction) {
    if (party().hasEnded()) {
      transaction.drop();
      party().stream().handled();
      return;
    }
    try {
      handler.handle(transaction);
      transaction.returned();
    } catch (Throwable e) {
      if (e instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      transaction.threw(e);
    } finally {
      party().stream().handled();
    }
  }

  @Override
  public void transactionEnded(long transaction) {
    ReceivedTransaction over;
    synchronized (this) {
      over = waitedFor.remove(transaction);
    }
    if (over != null) {
      over.end();
    }
  }

  @Override
  public void failed(PagetideException failure) {
    report(failure);
  }

  @Override
  public void ended() {
    List<ReceivedTransaction> all;
    synchronized (this) {
      all = new ArrayList<>(waitedFor.values());
      waitedFor.clear();
    }
    all.forEach(ReceivedTransaction::end);
  }
}
