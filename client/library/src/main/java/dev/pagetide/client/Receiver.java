package dev.pagetide.client;

import io.grpc.Channel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * A session to which others send bytes by its name. The library calls its {@link
 * TransactionHandler} once for each transaction. The handler reads the bytes in place.
 *
 * <p>Any number of threads may call any method at once. While {@link ReceiverOptions#maxQueued}
 * transactions wait for the handler to return, the library gives it no others. The others wait at
 * the server or here, each with its buffer in this range. So in the end the range has no space, and
 * the server refuses further transactions. The library drops a waiting transaction whose asker
 * gives up meanwhile.
 *
 * <p>The receiver ends with {@link #close}, with its client, or with the server. {@link #ended}
 * tells how. Then the askers that wait for its reply get TARGET_DIED, and every later reply fails.
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

  /** A sender on this receiver's own stream and range. It ends with this receiver. */
  public Sender sender() {
    return sender;
  }

  /** The session's public number, unsigned. One server never reuses it. */
  public long rangeId() {
    return endpoint.session().ticket().rangeId();
  }

  /** Bytes in the range that holds the transactions. */
  public long sizeBytes() {
    return sender.sizeBytes();
  }

  /** Whether the handler reads transactions in memory that is shared with the server. */
  public RangeAccess access() {
    return sender.access();
  }

  /** Completes, and never fails, when the receiver has ended: also when the server is lost. */
  public CompletionStage<SessionEnd> ended() {
    return sender.ended();
  }

  /** Completes when the server says that it is about to stop; otherwise never. */
  public CompletionStage<DrainNotice> draining() {
    return sender.draining();
  }

  /**
   * Ends the receiver. This does not disturb handlers that run: bytes that a handler, or a thread
   * that keeps a transaction, has asked for stay readable until they are freed. Bytes that no
   * thread has asked for are gone. The range's file is unmapped as soon as the other bytes are
   * freed. The handler is not called for transactions that still wait for it; their askers get
   * TARGET_DIED from the server. Calling it again does nothing. It never fails and never waits.
   */
  @Override
  public void close() {
    endpoint.close();
  }
}
