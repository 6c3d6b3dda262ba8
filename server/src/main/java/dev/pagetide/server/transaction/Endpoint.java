package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.buffer.BufferRequest;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;

/**
 * A session that is attached: it carries out commands, and is told of events through its {@link
 * EventSink}.
 *
 * <p>Thread-safe, but {@link #allocate}, {@link #transact} and {@link #reply} are begun one after
 * the other: the next once the last one's {@code next} was run. That keeps a sender's one-way
 * transactions in order.
 */
public final class Endpoint {
  private final EndpointRegistry endpoints;
  private final SessionEndpoint sessionEndpoint;
  private final Peer peer;
  private final EventSink sink;
  private final Mailbox mailbox;
  private final EndpointRegistry.Address address;
  private final OpenTransactions open = new OpenTransactions();

  private volatile @Nullable Throwable ended;

  /** What was begun last; it may have ended. */
  private volatile @Nullable BufferFill current;

  Endpoint(EndpointRegistry endpoints, SessionEndpoint sessionEndpoint, Peer peer, EventSink sink) {
    this.endpoints = endpoints;
    this.sessionEndpoint = sessionEndpoint;
    this.peer = peer;
    this.sink = sink;
    this.mailbox = new Mailbox(sink, endpoints.soon());
    this.address = new EndpointRegistry.Address(session().peer().uid(), session().name());
  }

  /** Its session. */
  public Session session() {
    return sessionEndpoint.session();
  }

  /** The process at the other end of its stream, as the kernel tells of it. */
  Peer peer() {
    return peer;
  }

  SessionEndpoint sessionEndpoint() {
    return sessionEndpoint;
  }

  /** How others know it, if it receives. */
  EndpointRegistry.Address address() {
    return address;
  }

  boolean hasEnded() {
    return ended != null;
  }

  /** How many events wait for the stream. */
  public int waitingEvents() {
    return mailbox.size();
  }

  /** Sends what waits: the stream can take more. */
  public void drain() {
    mailbox.drain();
  }

  /**
   * Allocates a staged buffer in the endpoint's own range.
   *
   * @param next run when the next command may begin
   */
  public void allocate(long command, long size, boolean clearOnFree, Runnable next) {
    try {
      requireAnswerable(command);
      requireBuffers("Allocate");
    } catch (RuntimeException e) {
      fail(command, e, next);
      return;
    }
    BufferRequest request = new BufferRequest(size, false, clearOnFree, session().rangeId());
    BufferFill.Done done =
        new BufferFill.Done() {
          @Override
          public void filled(Buffer buffer) {
            try {
              sessionEndpoint.buffers().deliver(buffer);
            } catch (PageFailure.Closed e) {
              fail(command, e, next);
              return;
            }
            answer(new Event.Allocated(command, buffer.offset()));
            next.run();
          }

          @Override
          public void noRoom(Throwable why) {
            fail(command, reason(why), next);
          }

          @Override
          public void noPayload(Throwable why) {
            fail(command, why, next);
          }

          @Override
          public void broken(Throwable why) {
            fail(command, why, next);
          }
        };
    BufferFill fill = new BufferFill(endpoints, sessionEndpoint, request, null, done);
    // What was freed before may be the space it needs.
    sessionEndpoint.afterClearing(() -> begin(fill, endpoints.config().allocationWaitNanos()));
  }

  /**
   * Transacts to another endpoint.
   *
   * @param next run when the next command may begin: the transaction lies in its receiver's
   *     mailbox, or has failed
   */
  public void transact(long command, TransactRequest outgoing, Payload payload, Runnable next) {
    Transaction transaction;
    Buffer pinned;
    try {
      transaction = begin(command, outgoing);
    } catch (RuntimeException e) {
      endpoints.refused(outgoing, e);
      fail(command, e, next);
      return;
    }
    try {
      pinned = pin(payload);
    } catch (RuntimeException e) {
      transaction.letGoOfPayload();
      transaction.end(TransactionOutcome.FAILED, e);
      next.run();
      return;
    }
    Endpoint target = transaction.target();
    BufferRequest request =
        new BufferRequest(
            outgoing.size(), outgoing.oneWay(), outgoing.clearOnFree(), session().rangeId());
    BufferFill.Done done =
        new BufferFill.Done() {
          @Override
          public void filled(Buffer buffer) {
            unpin(pinned);
            transaction.letGoOfPayload();
            arrive(command, transaction, buffer);
            next.run();
          }

          @Override
          public void noRoom(Throwable why) {
            unpin(pinned);
            transaction.letGoOfPayload();
            boolean died = why instanceof PageFailure.Closed && !session().range().isClosed();
            transaction.end(
                died ? TransactionOutcome.TARGET_DIED : TransactionOutcome.FAILED,
                died ? new TransactionFailure.TargetDied(outgoing.target()) : reason(why));
            next.run();
          }

          @Override
          public void noPayload(Throwable why) {
            noRoom(why);
          }

          @Override
          public void broken(Throwable why) {
            transaction.end(TransactionOutcome.FAILED, why);
            next.run();
          }
        };
    BufferFill fill =
        new BufferFill(endpoints, target.sessionEndpoint, request, source(payload), done);
    transaction.fills(fill);
    begin(fill, endpoints.allocationWaitNanos(outgoing));
  }

  /** One fill at a time: the next command begins when it has ended. */
  private void begin(BufferFill fill, long waitNanos) {
    current = fill;
    if (ended != null) {
      fill.giveUp();
    }
    fill.start(waitNanos);
  }

  private Transaction begin(long command, TransactRequest outgoing) {
    Endpoint target = endpoints.target(peer, outgoing);
    long id = endpoints.nextTransaction();
    Transaction transaction = new Transaction(endpoints, id, command, this, target, outgoing);
    if (!outgoing.oneWay()) {
      requireAnswerable(command);
      requireBuffers("a two-way transaction");
      open.ask(command, transaction, endpoints.config().maxTransactions());
    }
    boolean begun = false;
    try {
      hand(transaction);
      begun = true;
      return transaction;
    } finally {
      if (!begun) {
        forgetAsked(transaction);
        target.forgetIncoming(transaction);
      }
    }
  }

  private void hand(Transaction transaction) {
    Endpoint target = transaction.target();
    TransactRequest outgoing = transaction.request();
    target.open.receive(transaction);
    if (target.ended != null) { // RACE: it ended on our way there, and may not have seen us
      transaction.end(
          TransactionOutcome.TARGET_DIED, new TransactionFailure.TargetDied(outgoing.target()));
    } else if (ended != null) {
      transaction.end(TransactionOutcome.ASKER_DIED, null);
    } else if (!outgoing.oneWay() && outgoing.timeoutMillis() > 0) {
      transaction.limitTime();
    }
  }

  /**
   * Puts a transaction whose buffer is filled into its receiver's mailbox. From there on nobody
   * tells the sender of a one-way how it ended, so it is answered here.
   */
  private void arrive(long command, Transaction transaction, Buffer filled) {
    Endpoint target = transaction.target();
    boolean spam = filled.oneWaySpam();
    boolean oneWay = transaction.request().oneWay();
    if (!transaction.tryArrive(filled)) {
      target.sessionEndpoint.discard(filled); // it has ended, and its end told us
    } else if (target.mailbox.post(new Event.Delivered(transaction))) {
      if (transaction.isOver()) {
        target.mailbox.remove(transaction); // RACE: it ended before it lay there to be taken out
      }
      if (oneWay) {
        if (spam) {
          endpoints.observer().spam();
        }
        accept(command, spam);
      }
    } else {
      Throwable died = new TransactionFailure.TargetDied(transaction.request().target());
      transaction.end(TransactionOutcome.TARGET_DIED, died);
      if (oneWay) {
        answer(new Event.Failed(command, died));
      }
    }
  }

  /**
   * Replies to a two-way transaction that was delivered to this endpoint.
   *
   * @param refusal not empty: why it cannot be served; then there is no payload
   * @param next run when the next command may begin
   */
  public void reply(
      long command, long transactionId, Payload payload, String refusal, Runnable next) {
    Transaction transaction = open.incoming(transactionId);
    if (transaction == null || !transaction.tryBeginReply()) {
      fail(command, new TransactionFailure.Over(transactionId), next);
      return;
    }
    if (!refusal.isEmpty()) {
      boolean first =
          transaction.end(
              TransactionOutcome.REFUSED, new TransactionFailure.RefusedByReceiver(refusal));
      acceptIf(first, command, transactionId);
      next.run();
      return;
    }
    Buffer pinned;
    try {
      pinned = pin(payload);
    } catch (RuntimeException e) {
      transaction.giveUpReply();
      fail(command, e, next);
      return;
    }
    fillReply(command, transaction, payload, pinned, next);
  }

  private void fillReply(
      long command,
      Transaction transaction,
      Payload payload,
      @Nullable Buffer pinned,
      Runnable next) {
    Endpoint asker = transaction.asker();
    BufferRequest request =
        new BufferRequest(
            payload.length(), false, transaction.request().clearOnFree(), session().rangeId());
    BufferFill.Done done =
        new BufferFill.Done() {
          @Override
          public void filled(Buffer buffer) {
            unpin(pinned);
            acceptIf(asker.receiveReply(transaction, buffer), command, transaction.id());
            next.run();
          }

          @Override
          public void noRoom(Throwable why) {
            unpin(pinned);
            boolean died = why instanceof PageFailure.Closed;
            boolean waited =
                transaction.end(
                    died ? TransactionOutcome.ASKER_DIED : TransactionOutcome.FAILED, why);
            // If it had ended before, that is why the fill was given up.
            boolean over = died || !waited;
            fail(command, over ? new TransactionFailure.Over(transaction.id()) : why, next);
          }

          @Override
          public void noPayload(Throwable why) {
            if (why instanceof PageFailure.Closed) {
              noRoom(why);
              return;
            }
            unpin(pinned);
            transaction.giveUpReply();
            fail(command, why, next);
          }

          @Override
          public void broken(Throwable why) {
            transaction.end(TransactionOutcome.FAILED, why);
            fail(command, why, next);
          }
        };
    BufferFill fill =
        new BufferFill(endpoints, asker.sessionEndpoint, request, source(payload), done);
    transaction.fills(fill);
    begin(fill, endpoints.config().allocationWaitNanos());
  }

  /** Takes a reply whose buffer is filled; false if nobody waits for it any more. */
  private boolean receiveReply(Transaction transaction, Buffer filled) {
    if (!transaction.end(TransactionOutcome.REPLIED, null)) {
      sessionEndpoint.discard(filled);
      return false;
    }
    try {
      sessionEndpoint.buffers().deliver(filled);
    } catch (PageFailure.Closed e) {
      return false; // the asker's session ends
    }
    if (!mailbox.post(new Event.Replied(transaction.command(), filled.offset(), filled.size()))) {
      sessionEndpoint.freeUntold(filled);
    }
    return true;
  }

  /** Frees buffers of the endpoint's own range: all that can be freed. */
  public void free(long command, List<Long> offsets) {
    sessionEndpoint.free(
        offsets, why -> answer(new Event.Failed(command, why)), () -> accept(command, false));
  }

  /** Gives up a two-way transaction; none that waits for its reply is no error. */
  public void cancel(long command, long askedBy) {
    Transaction transaction = open.askedBy(askedBy);
    if (transaction != null) {
      transaction.end(TransactionOutcome.CANCELLED, new TransactionFailure.Cancelled());
    }
    accept(command, false);
  }

  /** Tells of a command that never began why it failed. */
  public void refuse(long command, Throwable why) {
    answer(new Event.Failed(command, why));
  }

  private void fail(long command, Throwable why, Runnable next) {
    answer(new Event.Failed(command, why));
    next.run();
  }

  private void accept(long command, boolean oneWaySpam) {
    if (command != 0) {
      answer(new Event.Accepted(command, oneWaySpam));
    }
  }

  private void acceptIf(boolean done, long command, long transactionId) {
    if (done) {
      accept(command, false);
    } else {
      answer(new Event.Failed(command, new TransactionFailure.Over(transactionId)));
    }
  }

  /** Why fill failed: one that was given up because this endpoint ends, for that reason. */
  private Throwable reason(Throwable why) {
    Throwable end = ended;
    return why instanceof CancellationException && end != null ? end : why;
  }

  /** Tells the endpoint something; one that has ended is told nothing. */
  void answer(Event event) {
    var _ = mailbox.post(event);
  }

  private static void requireAnswerable(long command) {
    if (command == 0) {
      throw new TransactionFailure.Invalid(
          "id=0: Attach, Allocate and two-way Transact are answered, so they need another id");
    }
  }

  private void requireBuffers(String what) {
    if (!sessionEndpoint.hasBuffers()) {
      throw new TransactionFailure.WrongMode(what);
    }
  }

  /** Keeps a payload's buffer where it is until it is copied; null: it lies in none. */
  private @Nullable Buffer pin(Payload payload) {
    if (payload instanceof Payload.Slice slice
        && slice.length() != 0
        && sessionEndpoint.hasBuffers()) {
      return sessionEndpoint.buffers().pin(slice.offset(), slice.length());
    }
    return null;
  }

  private void unpin(@Nullable Buffer pinned) {
    if (pinned != null) {
      sessionEndpoint.buffers().unpin(pinned);
    }
  }

  private BufferFill.Source source(Payload payload) {
    return new BufferFill.Source(payload, sessionEndpoint.range());
  }

  /** Takes a transaction that has ended out of the mailbox, and its buffer back. */
  void takeBack(Transaction transaction, Buffer buffer) {
    mailbox.remove(transaction);
    sessionEndpoint.discard(buffer);
  }

  void forgetAsked(Transaction transaction) {
    open.forgetAsked(transaction);
  }

  void forgetIncoming(Transaction transaction) {
    open.forgetIncoming(transaction);
  }

  /**
   * Ends the endpoint: whoever waits for it is told, and whoever works for it is. Its delivered and
   * staged buffers stay. Idempotent. Where a step fails, the others are taken all the same, and
   * then the failure is thrown.
   *
   * @param why what its stream is told
   */
  public void end(Throwable why) {
    synchronized (this) {
      if (ended != null) {
        return;
      }
      ended = why;
    }
    try {
      endpoints.leave(this);
    } finally {
      try {
        open.endAll(session().name());
      } finally {
        leaveSessionEndpoint(why);
      }
    }
  }

  private void leaveSessionEndpoint(Throwable why) {
    try {
      BufferFill unfinished = current;
      if (unfinished != null) {
        unfinished.giveUp();
      }
    } finally {
      mailbox.close();
      sessionEndpoint.leave(this);
      sink.end(why);
    }
  }
}
