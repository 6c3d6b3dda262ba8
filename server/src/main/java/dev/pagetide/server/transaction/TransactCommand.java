package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.buffer.BufferRequest;
import dev.pagetide.server.page.PageFailure;
import org.jspecify.annotations.Nullable;

/**
 * Sends a transaction to another endpoint. The command ends when the transaction is in its
 * receiver's mailbox, or has failed.
 */
/*
 * What it acquires, and how each is released whatever fails:
 * - The transaction, which both endpoints count as open. Either Endpoint.beginTransaction fails,
 *   and has undone that; or it returns a transaction, and from then on only Transaction.end takes
 *   it out of both. Each method below that reports a failure calls end; a second call does nothing.
 * - The payload's pin. It is taken after the transaction; if that fails, the transaction ends.
 *   release lets it go before the asker is answered, because an asker that is answered may free the
 *   payload at once. broken releases nothing: it is called only where filled threw, whose first
 *   step is release.
 * - The receiver's buffer. BufferFill gives it back unless it called filled; then arrive passes it
 *   to the transaction, or discards it because the transaction has ended.
 * - The turn. completion passes it on, as the last step of each of those. Each of those steps may
 *   throw; the turn is passed on nevertheless, or every later command of the stream would wait.
 *
 * The payload itself is not kept, because the endpoint keeps its last command.
 */
final class TransactCommand implements BufferFill.Done {
  private final Transaction transaction;
  private final @Nullable Buffer pinned;
  private final Completion completion;

  private TransactCommand(Transaction transaction, @Nullable Buffer pinned, Completion completion) {
    this.transaction = transaction;
    this.pinned = pinned;
    this.completion = completion;
  }

  static void begin(
      Endpoint asker, TransactRequest outgoing, Payload payload, Completion completion) {
    EndpointRegistry endpoints = asker.endpoints();
    SessionEndpoint own = asker.sessionEndpoint();
    Transaction transaction;
    try {
      transaction = asker.beginTransaction(completion.command(), outgoing);
    } catch (RuntimeException e) {
      endpoints.refused(outgoing, e);
      completion.failed(e);
      return;
    }
    Buffer pinned = null;
    BufferFill fill;
    try {
      pinned = own.pin(payload);
      fill =
          new BufferFill(
              endpoints,
              transaction.target().sessionEndpoint(),
              bufferFor(outgoing, own),
              new BufferFill.Source(payload, own.range()),
              new TransactCommand(transaction, pinned, completion));
    } catch (RuntimeException | Error e) {
      giveUp(transaction, pinned, completion, TransactionOutcome.FAILED, e);
      return;
    }
    transaction.fills(fill);
    asker.begin(fill, endpoints.allocationWaitNanos(outgoing));
  }

  private static BufferRequest bufferFor(TransactRequest outgoing, SessionEndpoint sender) {
    return new BufferRequest(
        outgoing.size(), outgoing.oneWay(), outgoing.clearOnFree(), sender.session().rangeId());
  }

  @Override
  public void filled(Buffer buffer) {
    release();
    arrive(buffer);
  }

  @Override
  public void noRoom(Throwable why) {
    Endpoint asker = transaction.asker();
    boolean died = why instanceof PageFailure.Closed && !asker.session().range().isClosed();
    giveUp(
        transaction,
        pinned,
        completion,
        died ? TransactionOutcome.TARGET_DIED : TransactionOutcome.FAILED,
        died ? targetDied() : asker.reason(why));
  }

  @Override
  public void noPayload(Throwable why) {
    noRoom(why);
  }

  @Override
  public void broken(Throwable why) {
    // The end of a one-way transaction answers only while it is COMING.
    boolean answersItself = transaction.request().oneWay() && transaction.hasArrived();
    try {
      transaction.end(TransactionOutcome.FAILED, why);
    } finally {
      if (answersItself) {
        completion.failed(why);
      } else {
        completion.unanswered();
      }
    }
  }

  private void release() {
    release(transaction, pinned);
  }

  private static void release(Transaction transaction, @Nullable Buffer pinned) {
    try {
      transaction.asker().sessionEndpoint().unpin(pinned);
    } finally {
      transaction.letGoOfPayload();
    }
  }

  /** Ends a transaction that has not arrived. Its end answers the command. */
  private static void giveUp(
      Transaction transaction,
      @Nullable Buffer pinned,
      Completion completion,
      TransactionOutcome outcome,
      Throwable why) {
    try {
      release(transaction, pinned);
    } finally {
      try {
        transaction.end(outcome, why);
      } finally {
        completion.unanswered();
      }
    }
  }

  /**
   * Puts the transaction, whose buffer is filled, into its receiver's mailbox. A one-way
   * transaction is answered here, because its sender gets no word of how it ends later.
   */
  private void arrive(Buffer filled) {
    Endpoint target = transaction.target();
    boolean spam = filled.oneWaySpam();
    boolean oneWay = transaction.request().oneWay();
    if (!transaction.tryArrive(filled)) {
      // the transaction has ended, and its end has answered the command
      target.sessionEndpoint().discard(filled);
      completion.unanswered();
    } else if (target.post(new Event.Delivered(transaction))) {
      if (transaction.isOver()) {
        // RACE: it ended before it was in the mailbox, so its end could not remove it
        target.remove(transaction);
      }
      if (oneWay) {
        if (spam) {
          transaction.observer().spam();
        }
        completion.accepted(spam);
      } else {
        completion.unanswered();
      }
    } else {
      Throwable died = targetDied();
      transaction.end(TransactionOutcome.TARGET_DIED, died);
      if (oneWay) {
        completion.failed(died);
      } else {
        completion.unanswered();
      }
    }
  }

  private TransactionFailure targetDied() {
    return new TransactionFailure.TargetDied(transaction.request().target());
  }
}
