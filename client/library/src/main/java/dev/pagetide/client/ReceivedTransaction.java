package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.v1.Transaction;
import dev.pagetide.v1.TransactionFlag;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A transaction that a sender has sent to a receiver. It has bytes to read and, unless it is
 * one-way, expects a reply.
 *
 * <p>The library frees it when its handler returns. If {@link #keep} was called, {@link #close}
 * frees it. Any number of threads may call any method at once, but its bytes belong to one of them:
 * see {@link #data}.
 */
public final class ReceivedTransaction implements AutoCloseable {

  /*
   * OPEN       not answered yet, and the asker waits
   * ANSWERING  a reply is under way; if it fails and the transaction is not over, OPEN again
   * OVER       answered, refused, cancelled, or one-way: no asker waits
   */
  private enum State {
    OPEN,
    ANSWERING,
    OVER
  }

  private final Endpoint endpoint;
  private final TransactionQueue queue;
  private final DeliveredBuffer buffer;
  private final long number;
  private final int code;
  private final int flags;
  private final SenderIdentity sender;
  private final CompletableFuture<Void> over = new CompletableFuture<>();

  @GuardedBy("this")
  private State state;

  @GuardedBy("this")
  private boolean kept;

  /** Why no reply will come any more; empty while one may come. */
  @GuardedBy("this")
  private String abandoned = "";

  private ReceivedTransaction(
      Endpoint endpoint, TransactionQueue queue, DeliveredBuffer buffer, Transaction wire) {
    this.endpoint = endpoint;
    this.queue = queue;
    this.buffer = buffer;
    this.number = wire.getTransaction();
    this.code = wire.getCode();
    this.flags = wire.getFlags();
    this.sender = SenderIdentity.of(wire.getSender());
    this.state = State.OPEN;
    if (isOneWay()) {
      state = State.OVER;
      over.complete(null);
    }
  }

  static ReceivedTransaction of(Endpoint endpoint, TransactionQueue queue, Transaction wire) {
    DeliveredBuffer buffer =
        new DeliveredBuffer(
            endpoint.bytes(),
            endpoint::free,
            WireNumbers.count("offset", wire.getOffset()),
            WireNumbers.count("size", wire.getSize()),
            wire.getData());
    return new ReceivedTransaction(endpoint, queue, buffer, wire);
  }

  /** The code that the sender gave it; the applications' own. */
  public int code() {
    return code;
  }

  /** Whether this is a one-way transaction: its sender never waits for a reply. */
  public boolean isOneWay() {
    return (flags & TransactionFlag.TRANSACTION_FLAG_ONE_WAY_VALUE) != 0;
  }

  /** Whether the server writes zeros over its bytes, and the reply's, when they are freed. */
  public boolean isClearedOnFree() {
    return (flags & TransactionFlag.TRANSACTION_FLAG_CLEAR_ON_FREE_VALUE) != 0;
  }

  /** The sender, as the server and the kernel know it. */
  public SenderIdentity sender() {
    return sender;
  }

  /** How many bytes were sent. */
  public long sizeBytes() {
    return buffer.size();
  }

  /**
   * The bytes, read-only. If the range's file is mapped, they are in place. They belong to the
   * thread that calls this first: another thread's access, or its {@link #close}, throws {@link
   * WrongThreadException}. An access after they were freed throws {@link IllegalStateException}.
   *
   * <p>If the file is not mapped and there are more than {@link Sender#maxDataBytes} bytes, this
   * call reads them from the server. It then blocks, at most for the client's call timeout and
   * until the bytes are freed. On a thread that delivers answers it throws instead.
   *
   * @throws IllegalStateException if the bytes were freed; or if this call would block on a thread
   *     that delivers answers
   * @throws PagetideException if the session has ended
   */
  public MemorySegment data() {
    return buffer.data();
  }

  /**
   * Replies, and waits until the server has the bytes.
   *
   * <p>On a thread that delivers answers (a handler under {@code withExecutor(Runnable::run)}) this
   * cannot wait, because the server's answer could not arrive before it returns. There it sends the
   * reply and returns at once, and throws only the failures that it knows by then. If the reply
   * fails later, the library notifies {@link ReceiverOptions#errors}. If the handler has then
   * returned without {@link #keep}, the asker gets a refusal that says why. The payload's bytes
   * must not change meanwhile; {@link #replyAsync} tells when they may.
   *
   * @throws PagetideException as {@link #replyAsync}
   */
  public void reply(Payload payload) {
    if (!Blocking.isDelivering()) {
      Blocking.await(() -> replyAsync(payload));
      return;
    }
    CompletableFuture<Void> reply = replyAsync(payload);
    if (reply.isDone()) {
      Blocking.get(reply);
      return;
    }
    var _ =
        reply.whenComplete((_, failure) -> {
          if (failure != null && !isOver(failure) && !queue.isOfTheEnd(Blocking.cause(failure))) {
            queue.report(Blocking.cause(failure));
          }
        });
  }

  /**
   * Replies. A reply that fails can be tried again, unless the transaction {@link #isOver} then.
   * Cancelling the future does not take the reply back.
   *
   * @return completes when the server has the bytes; fails with {@link PagetideException}:
   *     TRANSACTION_OVER if the transaction was answered before, if its asker no longer waits, or
   *     if it is one-way; and as {@link Sender#ask}
   * @throws IllegalArgumentException if the payload was not staged by {@link Receiver#sender}
   * @throws IllegalStateException if it was staged and is closed
   */
  public CompletableFuture<Void> replyAsync(Payload payload) {
    if (!begin()) {
      return CompletableFuture.failedFuture(isOverAlready());
    }
    CompletableFuture<Void> reply;
    try {
      reply = endpoint.reply(number, payload);
    } catch (RuntimeException | Error e) {
      failed(e);
      throw e;
    }
    // Not the stage itself: if the caller cancelled that, the steps below would not run.
    CompletableFuture<Void> told = new CompletableFuture<>();
    var _ =
        reply.whenComplete((_, failure) -> {
          try {
            answered(failure);
          } finally {
            var _ = failure == null ? told.complete(null) : told.completeExceptionally(failure);
          }
        });
    return told;
  }

  private void answered(@Nullable Throwable failure) {
    if (failure == null || isOver(failure)) {
      end();
    } else {
      failed(failure);
    }
  }

  private synchronized boolean begin() {
    if (state != State.OPEN) {
      return false;
    }
    state = State.ANSWERING;
    return true;
  }

  private static boolean isOver(Throwable failure) {
    return Blocking.cause(failure) instanceof PagetideException said
        && said.reason().filter(r -> r == ErrorReason.TRANSACTION_OVER).isPresent();
  }

  /** A reply failed. If no thread is going to try again, the asker must not wait any longer. */
  private void failed(Throwable failure) {
    String why;
    synchronized (this) {
      if (state != State.ANSWERING) {
        return;
      }
      state = State.OPEN;
      why = abandoned;
    }
    if (!why.isEmpty()) {
      refuse(why + "; its reply failed: " + Blocking.cause(failure).getMessage());
    }
  }

  private PagetideException isOverAlready() {
    return new PagetideException(
        StatusCode.FAILED_PRECONDITION,
        ErrorReason.TRANSACTION_OVER,
        isOneWay()
            ? "nobody waits for a reply to a one-way transaction"
            : "the transaction was answered already, or its asker has given up",
        null,
        false,
        0,
        null);
  }

  /**
   * Tells the asker that the receiver cannot serve this transaction. The transaction then fails at
   * the asker with REFUSED_BY_RECEIVER. Does nothing if no asker waits. Never fails and never
   * waits.
   *
   * @param why for the asker; the library cuts it off after 1024 bytes
   */
  public void refuse(String why) {
    if (!begin()) {
      return;
    }
    var _ =
        endpoint
            .refuse(number, shortened(why.isEmpty() ? "refused" : why))
            .whenComplete((_, failure) -> end());
  }

  private static String shortened(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length <= ContractLimits.MAX_REFUSAL_BYTES) {
      return text;
    }
    int end = ContractLimits.MAX_REFUSAL_BYTES;
    while ((bytes[end] & 0xc0) == 0x80) {
      end--; // not in the middle of a character
    }
    return new String(bytes, 0, end, StandardCharsets.UTF_8);
  }

  /** Whether no asker waits for a reply any more: it was answered, or its asker has given up. */
  public synchronized boolean isOver() {
    return state == State.OVER;
  }

  /**
   * Completes, and never fails, when no asker waits for a reply any more. It completes in time
   * however many transactions wait for their handlers. For a one-way transaction it is complete
   * from the start.
   */
  public CompletionStage<Void> over() {
    return over.minimalCompletionStage();
  }

  /** The asker does not wait any more. */
  void end() {
    synchronized (this) {
      state = State.OVER;
    }
    queue.forget(number);
    Blocking.deliver(() -> over.complete(null));
  }

  /**
   * Keeps the transaction beyond its handler's return, until {@link #close}. The segment that
   * {@link #data} has given out so far ends, so that the thread that will close the transaction can
   * ask for its own.
   *
   * @throws WrongThreadException if {@link #data} was called by another thread
   */
  public void keep() {
    buffer.disown();
    synchronized (this) {
      kept = true;
    }
  }

  /** The handler has returned. */
  void returned() {
    boolean stays;
    synchronized (this) {
      stays = kept;
    }
    if (!stays) {
      abandon("the receiver's handler returned without a reply");
      closeQuietly();
    }
  }

  /** The handler has thrown, or cannot be called. */
  void threw(Throwable failure) {
    if (isOneWay()) {
      if (!queue.isOfTheEnd(failure)) {
        queue.report(failure);
      }
    } else {
      abandon("the receiver's handler failed: " + failure);
    }
    closeQuietly();
  }

  /** The receiver has ended before its handler was called: no asker is left to notify. */
  void drop() {
    end();
    closeQuietly();
  }

  /** Refuses, unless it was answered. If an answer is under way, refuses only if that fails. */
  private void abandon(String why) {
    synchronized (this) {
      abandoned = why;
    }
    refuse(why);
  }

  /** Frees the bytes, unless they belong to another thread, which may be reading them. */
  private void closeQuietly() {
    try {
      buffer.close();
    } catch (IllegalStateException | WrongThreadException e) {
      queue.report(
          new IllegalStateException(
              "a transaction's bytes are in use by another thread, so they are not freed: keep() it"
                  + " before it is handed to another thread, and close() it there",
              e));
    }
  }

  /**
   * Frees the bytes, and refuses a two-way transaction that was not answered. Never waits; calling
   * it again does nothing.
   *
   * @throws WrongThreadException if {@link #data} was called by another thread; nothing is freed
   */
  @Override
  public void close() {
    buffer.close();
    abandon("the receiver closed the transaction without a reply");
  }
}
