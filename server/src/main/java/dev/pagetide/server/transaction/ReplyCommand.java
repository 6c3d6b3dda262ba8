package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.buffer.BufferRequest;
import dev.pagetide.server.page.PageFailure;
import org.jspecify.annotations.Nullable;

/** Replies to a two-way transaction that was delivered to the endpoint. */
/*
 * What it acquires, and how each is released whatever fails:
 * - The transaction, which is REPLYING: no second reply begins. Either the transaction ends, or it
 *   goes back to DELIVERED, because the payload could not be read and the receiver may try again.
 * - The payload's pin. release lets it go before the replier is answered, because a replier that is
 *   answered may free the payload at once. broken releases nothing: it is called only where filled
 *   threw, whose first step is release.
 * - The asker's buffer. BufferFill gives it back unless it called filled; then receive passes it to
 *   the asker, or discards it because the asker does not wait any more.
 * - The turn. completion passes it on, as the last step of each of those. Each of those steps may
 *   throw; the turn is passed on nevertheless, or every later command of the stream would wait.
 *
 * The payload itself is not kept, because the endpoint keeps its last command.
 */
final class ReplyCommand implements BufferFill.Done {
  private final SessionEndpoint replier;
  private final Transaction transaction;
  private final @Nullable Buffer pinned;
  private final Completion completion;

  private ReplyCommand(
      SessionEndpoint replier,
      Transaction transaction,
      @Nullable Buffer pinned,
      Completion completion) {
    this.replier = replier;
    this.transaction = transaction;
    this.pinned = pinned;
    this.completion = completion;
  }

  static void begin(
      Endpoint endpoint,
      long transactionId,
      Payload payload,
      String refusal,
      Completion completion) {
    Transaction transaction = endpoint.incoming(transactionId);
    if (transaction == null || !transaction.tryBeginReply()) {
      completion.failed(new TransactionFailure.Over(transactionId));
    } else if (refusal.isEmpty()) {
      fill(endpoint, transaction, payload, completion);
    } else {
      boolean first =
          transaction.end(
              TransactionOutcome.REFUSED, new TransactionFailure.RefusedByReceiver(refusal));
      acceptIf(first, transaction, completion); // if end threw, the queue passes the turn on
    }
  }

  private static void fill(
      Endpoint endpoint, Transaction transaction, Payload payload, Completion completion) {
    EndpointRegistry endpoints = endpoint.endpoints();
    SessionEndpoint own = endpoint.sessionEndpoint();
    boolean clearOnFree = transaction.request().clearOnFree();
    Buffer pinned = null;
    BufferFill fill;
    try {
      pinned = own.pin(payload);
      fill =
          new BufferFill(
              endpoints,
              transaction.asker().sessionEndpoint(),
              new BufferRequest(payload.length(), false, clearOnFree, own.session().rangeId()),
              new BufferFill.Source(payload, own.range()),
              new ReplyCommand(own, transaction, pinned, completion));
    } catch (RuntimeException | Error e) {
      giveUp(own, transaction, pinned, completion, e);
      return;
    }
    transaction.fills(fill);
    endpoint.begin(fill, endpoints.config().allocationWaitNanos());
  }

  @Override
  public void filled(Buffer buffer) {
    release();
    acceptIf(receive(buffer), transaction, completion);
  }

  @Override
  public void noRoom(Throwable why) {
    boolean died = why instanceof PageFailure.Closed;
    boolean waited = false;
    try {
      release();
    } finally {
      try {
        waited =
            transaction.end(died ? TransactionOutcome.ASKER_DIED : TransactionOutcome.FAILED, why);
      } finally {
        // If it had ended before, its end is the reason why the fill was given up.
        boolean over = died || !waited;
        completion.failed(over ? new TransactionFailure.Over(transaction.id()) : why);
      }
    }
  }

  @Override
  public void noPayload(Throwable why) {
    if (why instanceof PageFailure.Closed) {
      noRoom(why);
      return;
    }
    giveUp(replier, transaction, pinned, completion, why);
  }

  @Override
  public void broken(Throwable why) {
    try {
      transaction.end(TransactionOutcome.FAILED, why);
    } finally {
      completion.failed(why);
    }
  }

  private void release() {
    replier.unpin(pinned);
  }

  /** The reply's payload cannot be read; the receiver may reply once more. */
  private static void giveUp(
      SessionEndpoint replier,
      Transaction transaction,
      @Nullable Buffer pinned,
      Completion completion,
      Throwable why) {
    try {
      replier.unpin(pinned);
    } finally {
      transaction.giveUpReply();
      completion.failed(why);
    }
  }

  /** Sends the asker a reply whose buffer is filled; false if the asker does not wait any more. */
  private boolean receive(Buffer filled) {
    Endpoint asker = transaction.asker();
    SessionEndpoint into = asker.sessionEndpoint();
    if (!transaction.end(TransactionOutcome.REPLIED, null)) {
      into.discard(filled);
      return false;
    }
    try {
      into.buffers().deliver(filled);
    } catch (PageFailure.Closed e) {
      return false; // the asker's session is ending
    }
    Event replied = new Event.Replied(transaction.command(), filled.offset(), filled.size());
    if (!asker.tell(replied)) {
      into.freeUntold(filled);
    }
    return true;
  }

  private static void acceptIf(boolean done, Transaction transaction, Completion completion) {
    if (done) {
      completion.accepted(false);
    } else {
      completion.failed(new TransactionFailure.Over(transaction.id()));
    }
  }
}
