package dev.pagetide.client;

import dev.pagetide.v1.Transaction;
import io.grpc.Channel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * A session that sends bytes to others: it asks for a reply, or it sends one-way.
 *
 * <p>The bytes travel in the message, or they lie in a {@link StagedBuffer}. From there the server
 * copies them once, straight to where the receiver reads them.
 *
 * <p>Any number of threads may call any method at once. One-way transactions to one receiver arrive
 * in the order in which {@code send} was called; two-way ones may overlap. Each blocking method
 * ends within the client's call timeout, except {@link #ask}, which has a timeout of its own. Each
 * method and its {@code Async} twin fail with {@link PagetideException}. Besides the reasons named
 * at the method, the reason may be TOO_MUCH_DATA or SESSION_ENDED. A call fails with
 * RESOURCE_EXHAUSTED, without a reason and without asking the server, while 1024 commands are not
 * answered or 16 MiB of them are not sent yet. Futures complete on the channel's event loop, so a
 * stage that runs there must not block (a blocking method of this library throws there).
 *
 * <p>The sender ends with {@link #close}, with its client, or with the server. {@link #ended} tells
 * how. Then every waiting future fails, and every later call fails.
 */
public final class Sender implements AutoCloseable {

  private final Endpoint endpoint;
  private final boolean ownsEndpoint;

  private Sender(Endpoint endpoint, boolean ownsEndpoint) {
    this.endpoint = endpoint;
    this.ownsEndpoint = ownsEndpoint;
  }

  /** The sender on a receiver's stream, which ends with the receiver. */
  static Sender onStreamOf(Endpoint endpoint) {
    return new Sender(endpoint, false);
  }

  /** Attaches a session that was just opened. */
  static CompletableFuture<Sender> attach(
      Channel channel, UnaryCalls calls, OpenedSession session, SenderOptions options) {
    Endpoint endpoint =
        Endpoint.start(channel, calls, session, new Answers(new ErrorListener(options.errors())));
    return endpoint
        .attach(false)
        .handle((_, failure) -> {
          endpoint.openOrClose(failure);
          return new Sender(endpoint, true);
        });
  }

  /** The events of an endpoint that is no receiver. */
  private record Answers(ErrorListener errors) implements ExchangeStream.News {
    @Override
    public void transaction(Transaction transaction) {
      // No sender may transact to it: this is the server's fault. The buffer ends with the session.
    }

    @Override
    public void transactionEnded(long transaction) {}

    @Override
    public void failed(PagetideException failure) {
      errors.tell(failure);
    }

    @Override
    public void submitted() {}

    @Override
    public int room() {
      return Integer.MAX_VALUE; // it queues no transaction
    }

    @Override
    public void ended() {}
  }

  /** The session's public number, unsigned. One server never reuses it. */
  public long rangeId() {
    return endpoint.session().ticket().rangeId();
  }

  /** Bytes in the range that holds staged buffers and replies. */
  public long sizeBytes() {
    SessionTicket ticket = endpoint.session().ticket();
    return (long) ticket.pageSize() * ticket.pageCount();
  }

  /** Most bytes that travel in one message; more must be {@linkplain #stage staged}. */
  public int maxDataBytes() {
    return endpoint.bytes().maxDataBytes();
  }

  /** Whether staged buffers and replies lie in memory that is shared with the server. */
  public RangeAccess access() {
    return endpoint.bytes().isMapped() ? RangeAccess.SHARED : RangeAccess.REMOTE;
  }

  /**
   * Sends bytes, and waits for the reply without limit.
   *
   * @throws PagetideException as {@link #ask(Target, int, Payload, AskOptions)}
   */
  public Reply ask(Target target, int code, Payload payload) {
    return ask(target, code, payload, AskOptions.DEFAULT);
  }

  /**
   * Sends bytes, and waits for the reply.
   *
   * @param code the application's own number; the server passes it on
   * @return the reply, which the caller must close
   * @throws IllegalArgumentException if the payload was staged by another sender
   * @throws IllegalStateException if it was staged and is closed
   * @throws PagetideException TARGET_DIED; NOT_PERMITTED if the server's {@code
   *     --allow-transactions} does not allow the pair of users; REFUSED_BY_RECEIVER, with the
   *     receiver's message; TRANSACTION_TIMED_OUT; TRANSACTION_CANCELLED; NO_BUFFER_SPACE,
   *     TOO_MANY_BUFFERS or NO_MEMORY (at the receiver, or here for the reply);
   *     TOO_MANY_TRANSACTIONS; and as at the class
   */
  public Reply ask(Target target, int code, Payload payload, AskOptions options) {
    return Blocking.await(() -> askAsync(target, code, payload, options));
  }

  /** {@link #ask(Target, int, Payload)} without waiting. */
  public CompletableFuture<Reply> askAsync(Target target, int code, Payload payload) {
    return askAsync(target, code, payload, AskOptions.DEFAULT);
  }

  /**
   * {@link #ask(Target, int, Payload, AskOptions)} without waiting. Cancelling the future cancels
   * the transaction. If it was not sent yet, it is not sent; otherwise its receiver is notified. A
   * reply that arrives nevertheless is freed.
   */
  public CompletableFuture<Reply> askAsync(
      Target target, int code, Payload payload, AskOptions options) {
    return endpoint.ask(target, code, payload, options);
  }

  /**
   * Sends bytes one-way and waits until the server has delivered them. There is no reply.
   *
   * @throws PagetideException as {@link #send(Target, int, Payload, SendOptions)}
   */
  public SendResult send(Target target, int code, Payload payload) {
    return send(target, code, payload, SendOptions.DEFAULT);
  }

  /**
   * Sends bytes one-way and waits until the server has delivered them. There is no reply.
   *
   * @param code the application's own number; the server passes it on
   * @throws IllegalArgumentException if the payload was staged by another sender
   * @throws IllegalStateException if it was staged and is closed
   * @throws PagetideException TARGET_DIED; NOT_PERMITTED if the server's {@code
   *     --allow-transactions} does not allow the pair of users; at the receiver NO_ONE_WAY_SPACE,
   *     NO_BUFFER_SPACE, TOO_MANY_BUFFERS, NO_MEMORY; and as at the class
   */
  public SendResult send(Target target, int code, Payload payload, SendOptions options) {
    return Blocking.await(() -> sendAsync(target, code, payload, options));
  }

  /** {@link #send(Target, int, Payload)} without waiting. */
  public CompletableFuture<SendResult> sendAsync(Target target, int code, Payload payload) {
    return sendAsync(target, code, payload, SendOptions.DEFAULT);
  }

  /**
   * {@link #send(Target, int, Payload, SendOptions)} without waiting. If the future is cancelled
   * before the transaction was sent, it is not sent. Cancelling it later does nothing.
   */
  public CompletableFuture<SendResult> sendAsync(
      Target target, int code, Payload payload, SendOptions options) {
    return endpoint.send(target, code, payload, options.clearOnFree());
  }

  /**
   * Allocates bytes in this sender's range, which the caller writes in place and then sends.
   *
   * @param sizeBytes how many bytes; 0 also makes a buffer
   * @return the buffer, which the caller must close
   * @throws IllegalArgumentException if the size is negative
   * @throws PagetideException NO_BUFFER_SPACE, TOO_MANY_BUFFERS, NO_MEMORY; and as at the class
   */
  public StagedBuffer stage(long sizeBytes) {
    return stage(sizeBytes, false);
  }

  /**
   * {@link #stage(long)}, with a choice whether the server writes zeros over the bytes when they
   * are freed.
   *
   * @throws IllegalArgumentException if the size is negative
   * @throws PagetideException as {@link #stage(long)}
   */
  public StagedBuffer stage(long sizeBytes, boolean clearOnFree) {
    return Blocking.await(() -> stageAsync(sizeBytes, clearOnFree));
  }

  /** {@link #stage(long)} without waiting. */
  public CompletableFuture<StagedBuffer> stageAsync(long sizeBytes) {
    return stageAsync(sizeBytes, false);
  }

  /** {@link #stage(long, boolean)} without waiting. Cancelling the future frees the buffer. */
  public CompletableFuture<StagedBuffer> stageAsync(long sizeBytes, boolean clearOnFree) {
    return endpoint.stage(sizeBytes, clearOnFree);
  }

  /** Completes, and never fails, when the sender has ended: also when the server is lost. */
  public CompletionStage<SessionEnd> ended() {
    return endpoint.stream().ended().minimalCompletionStage();
  }

  /** Completes when the server says that it is about to stop; otherwise never. */
  public CompletionStage<DrainNotice> draining() {
    return endpoint.session().stream().draining().minimalCompletionStage();
  }

  /**
   * Ends the sender: futures that wait fail, and its staged buffers and replies are gone. For a
   * {@link Receiver#sender} it does nothing, because that ends with its receiver. The range's file
   * is unmapped as soon as no thread holds the bytes of a reply any more. Calling it again does
   * nothing. It never fails and never waits.
   */
  @Override
  public void close() {
    if (ownsEndpoint) {
      endpoint.close();
    }
  }
}
