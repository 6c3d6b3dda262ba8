package dev.pagetide.server.rpc;

import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Counts the bytes of an Exchange's message that has not arrived as a whole. The server keeps them
 * until the rest arrives, which may be never.
 *
 * <p>An Exchange is in flight only until it is attached (see {@link InFlight}), so its later
 * messages would count nowhere. Most messages arrive at once; the first bytes are not counted.
 *
 * <p>A message that is about to be there as a whole must not end a stream only because its client
 * has as much in flight as it may: its commands can be refused as soon as they are there. So the
 * server lets the parts of each uid exceed the limit by a part of it before it ends a stream.
 */
final class ArrivingMessage extends ServerStreamTracer {
  /** Most bytes that are not counted: about a session's own size. */
  private static final int UNCOUNTED_BYTES = 4096;

  private static final Context.Key<ArrivingMessage> CURRENT =
      Context.key("pagetide-arriving-message");

  /** The method whose streams are attached. */
  static final String EXCHANGE = TransactionServiceGrpc.getExchangeMethod().getFullMethodName();

  private static final ServerStreamTracer NONE = new ServerStreamTracer() {};

  private InFlight.@Nullable Ticket ticket;
  private @Nullable Consumer<StatusRuntimeException> onTooMany;
  private long arrived;
  private long counted;

  /** Bytes that were beyond the limit. */
  private long excess;

  private int pieces;

  private ArrivingMessage() {}

  /** Gives each Exchange of a server one of these, and other calls none. */
  static Factory tracers() {
    return new Factory() {
      @Override
      public ServerStreamTracer newServerStreamTracer(String fullMethodName, Metadata headers) {
        return fullMethodName.equals(EXCHANGE) ? new ArrivingMessage() : NONE;
      }
    };
  }

  /** That of the Exchange for which this thread works. */
  static ArrivingMessage current() {
    ArrivingMessage current = CURRENT.get();
    if (current == null) {
      throw new AssertionError("an Exchange without the tracer of arriving messages");
    }
    return current;
  }

  @Override
  public Context filterContext(Context context) {
    return context.withValue(CURRENT, this);
  }

  /**
   * Counts what arrives from now on.
   *
   * @param tooMany ends the stream, because a part of a message cannot be refused
   */
  synchronized void begin(InFlight.Ticket counting, Consumer<StatusRuntimeException> tooMany) {
    ticket = counting;
    onTooMany = tooMany;
  }

  @Override
  public void inboundWireSize(long bytes) {
    Consumer<StatusRuntimeException> end;
    StatusRuntimeException refusal;
    synchronized (this) {
      end = onTooMany;
      refusal = count(bytes);
    }
    // Not under the monitor: the end of a stream runs much code.
    if (refusal != null && end != null) {
      end.accept(refusal);
    }
  }

  private synchronized @Nullable StatusRuntimeException count(long bytes) {
    InFlight.Ticket counting = ticket;
    pieces++;
    arrived += bytes + InFlight.weightOfPiece(pieces);
    if (counting == null || arrived <= UNCOUNTED_BYTES) {
      return null;
    }
    long more = arrived - counted - excess;
    Share full = counting.tryHold(more);
    if (full == null) {
      counted += more;
      return null;
    }
    excess += more;
    AtomicLong allowance = counting.allowance();
    return allowance == null || allowance.addAndGet(-more) < 0 ? counting.tooManyBytes(full) : null;
  }

  /** The message is there as a whole; what it holds from now on, its commands count. */
  @Override
  public void inboundMessageRead(int number, long wireBytes, long bytes) {
    release();
  }

  @Override
  public void streamClosed(Status status) {
    release();
  }

  private synchronized void release() {
    InFlight.Ticket counting = ticket;
    if (counting != null && counted > 0) {
      counting.release(counted);
    }
    AtomicLong allowance = counting == null ? null : counting.allowance();
    if (allowance != null) {
      allowance.addAndGet(excess);
    }
    excess = 0;
    pieces = 0;
    counted = 0;
    arrived = 0;
  }
}
