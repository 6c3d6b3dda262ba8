package dev.pagetide.client;

import io.grpc.Channel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Whom others hand bytes to, by its name. Its {@link TransactionHandler} is called once for each
 * transaction, and reads the bytes in place.
 *
 * <p>Any number of threads may call any method at once. Once {@link ReceiverOptions#maxQueued}
 * transactions wait for the handler to return, no others are given to it. They wait, at the server
 * or here, each with its buffer in this range, so in the end the server has no space for more and
 * refuses them. One whose asker gives up meanwhile is dropped.
 *
 * <p>The receiver ends with {@link #close}, with its client, or with the server; {@link #ended}
 * tells. Then whoever waits for a reply of it is told that it died, and every later reply fails.
 */
public final class Receiver implements AutoCloseable {

  private final Endpoint endpoint;
  private final Sender sender;

  private Receiver(Endpoint endpoint) {
    this.endpoint = endpoint;
    this.sender = Sender.onStreamOf(endpoint);
  }

  /** Attaches a session that was just opened. */
  static CompletableFuture<Receiver> attach(
      Channel channel,
      UnaryCalls calls,
      OpenedSession session,
      ReceiverOptions options,
      TransactionHandler handler) {
    TransactionQueue queue = new TransactionQueue(options, handler);
    Endpoint endpoint = Endpoint.start(channel, calls, session, queue);
    queue.serve(endpoint);
    return endpoint
        .attach(true)
        .handle((_, failure) -> {
          endpoint.openOrClose(failure);
          return new Receiver(endpoint);
        });
  }

  /** A sender over this receiver's own stream and range. It ends with this receiver. */
  public Sender sender() {
    return sender;
  }

  /** The session's public name, an unsigned number; never used twice by one server. */
  public long rangeId() {
    return endpoint.session().ticket().rangeId();
  }

  /** Bytes in the range that transactions lie in. */
  public long sizeBytes() {
    return sender.sizeBytes();
  }

  /** Whether transactions are read in memory that is shared with the server. */
  public RangeAccess access() {
    return sender.access();
  }

  /** Completes, and never fails, when the receiver has ended: also when the server is lost. */
  public CompletionStage<SessionEnd> ended() {
    return sender.ended();
  }

  /** Completes when the server says that it is about to stop; else never. */
  public CompletionStage<DrainNotice> draining() {
    return sender.draining();
  }

  /**
   * Ends the receiver. Handlers that run are not disturbed: bytes that they, or whoever kept a
   * transaction, have asked for stay readable until they are freed; bytes not asked for yet are
   * gone, and the range's file is unmapped as soon as nobody reads the others. The handler is not
   * called for transactions that still wait for it: the server tells their askers that the receiver
   * died. Calling it again does nothing; it never fails and never waits.
   */
  @Override
  public void close() {
    endpoint.close();
  }
}
