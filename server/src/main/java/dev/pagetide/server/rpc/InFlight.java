package dev.pagetide.server.rpc;

import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.grpc.Attributes;
import io.grpc.Context;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerStreamTracer;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The limit on requests in flight, in calls and in bytes, over all connections.
 *
 * <p>A request is in flight from its headers until its stream is closed on the wire. The end of the
 * call would be too early, because an answer that the client does not read stays in the server's
 * memory long after the call "finished". gRPC's own limit would not do, because it counts session
 * streams, which may live without limit. A session stream is in flight until its session is open;
 * from then on the limit on sessions counts it. One connection gets at most half of the limit, so
 * that no client can take it all.
 */
/*
 * When a byte counts. A byte of a request counts as it arrives, because 500 calls that each hold
 * back their last byte take as much memory as 500 whole ones. A large answer counts before it is
 * made, because otherwise 500 Reads that were admitted while nothing was in flight would become 500
 * answers. A call that exceeds a limit is refused before it has done anything. A call that is alone
 * never exceeds a limit: otherwise no client could make a call that is larger than half the limit.
 */
final class InFlight extends ServerStreamTracer.Factory {
  private static final Context.Key<Ticket> TICKET = Context.key("pagetide-in-flight");
  private static final Attributes.Key<Share> SHARE = Attributes.Key.create("pagetide-in-flight");

  private final Share whole;
  private final RequestConfig limits;
  private final CutOffObserver cutOffs;

  /**
   * A limit with no request in flight.
   *
   * @param cutOffs is notified of each call that is refused
   */
  InFlight(RequestConfig limits, CutOffObserver cutOffs) {
    this.limits = limits;
    this.cutOffs = cutOffs;
    this.whole = new Share(limits.maxRequestsInFlight(), limits.maxRequestBytesInFlight());
  }

  /** The ticket of the call for which this thread works. */
  static Ticket ticket() {
    Ticket ticket = TICKET.get();
    if (ticket == null) {
      throw new AssertionError("a call without the tracer of requests in flight");
    }
    return ticket;
  }

  /** A limit and the requests that count against it. */
  private static final class Share {
    private final int maxCalls;
    private final long maxBytes;
    private final AtomicInteger calls = new AtomicInteger();
    private final AtomicLong bytes = new AtomicLong();

    Share(int maxCalls, long maxBytes) {
      this.maxCalls = maxCalls;
      this.maxBytes = maxBytes;
    }

    boolean hasTooManyCalls() {
      return calls.get() > maxCalls;
    }

    /** Whether it holds too many bytes, unless one call alone holds all of them: {@code own}. */
    boolean hasTooManyBytes(long own) {
      long now = bytes.get();
      return now > maxBytes && now > own;
    }
  }

  /** Gives each connection its share. */
  ServerTransportFilter connections() {
    return new ServerTransportFilter() {
      @Override
      public Attributes transportReady(Attributes attributes) {
        int calls = Math.max(1, limits.maxRequestsInFlight() / 2);
        long bytes = Math.max(1, limits.maxRequestBytesInFlight() / 2);
        return attributes.toBuilder().set(SHARE, new Share(calls, bytes)).build();
      }
    };
  }

  /** Refuses calls above a limit, before they do anything. */
  ServerInterceptor interceptor() {
    return new ServerInterceptor() {
      @Override
      public <Q, A> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        Ticket ticket = ticket();
        RefusableCall<Q, A> refusable = RefusableCall.of(call);
        ticket.admit(refusable, call.getAttributes().get(SHARE));
        if (ticket.isRefused()) {
          return new ServerCall.Listener<>() {};
        }
        return new Admission<>(next.startCall(refusable, headers), ticket);
      }
    };
  }

  /** Keeps a call from the service if it was refused while its request arrived. */
  private static final class Admission<Q> extends SimpleForwardingServerCallListener<Q> {
    private final Ticket ticket;

    Admission(ServerCall.Listener<Q> service, Ticket ticket) {
      super(service);
      this.ticket = ticket;
    }

    @Override
    public void onMessage(Q message) {
      if (!ticket.isRefused()) {
        super.onMessage(message);
      }
    }

    @Override
    public void onHalfClose() {
      ticket.allIsIn();
      if (!ticket.isRefused()) {
        super.onHalfClose();
      }
    }
  }

  private String why(Share share) {
    return String.format(
        Locale.ROOT,
        "too many requests in flight%s: read the answers of those under way first"
            + " (--max-requests-in-flight=%d, --max-request-bytes-in-flight=%d)",
        share == whole ? "" : " on this connection, which may have half of them",
        limits.maxRequestsInFlight(),
        limits.maxRequestBytesInFlight());
  }

  /** The limit that a share exceeds. */
  private static String limit(Share share) {
    return share.hasTooManyCalls() ? "--max-requests-in-flight" : "--max-request-bytes-in-flight";
  }

  private StatusRuntimeException refusal(Share share, Peer peer) {
    String why = why(share);
    cutOffs.cutOff(peer, limit(share), why);
    return StatusMapper.tooManyRequests(why);
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String fullMethodName, Metadata headers) {
    return new Ticket();
  }

  /**
   * One call's part of what is in flight.
   *
   * <p>Its monitor orders the event loop, which counts, refuses and closes, and the worker that
   * sends the answer.
   */
  final class Ticket extends ServerStreamTracer {
    private @Nullable Share connection;

    /** The call while its request arrives: then it can be refused before it has done anything. */
    private @Nullable RefusableCall<?, ?> receiving;

    private boolean refused;
    private Peer peer = Peer.TCP;

    /** Whether it counts: from its admission to its end. */
    private boolean counts;

    private long bytes;

    /** Bytes that {@link #hold} counts. */
    private long held;

    private long wireBytes;
    private long uncompressedBytes;
    private long expectedBytes;
    private boolean disconnected;

    @Override
    public Context filterContext(Context context) {
      return context.withValue(TICKET, this);
    }

    private synchronized void admit(RefusableCall<?, ?> call, @Nullable Share share) {
      receiving = call;
      connection = share;
      peer = PeerNegotiator.of(call);
      counts = true;
      whole.calls.incrementAndGet();
      if (share != null) {
        share.calls.incrementAndGet();
      }
      refuseIfOver();
    }

    private synchronized boolean isRefused() {
      return refused;
    }

    private synchronized void allIsIn() {
      refuseIfOver();
      receiving = null;
    }

    private synchronized void refuseIfOver() {
      Share full = full();
      RefusableCall<?, ?> call = receiving;
      if (full != null && call != null && !refused) {
        refused = true;
        String why = why(full);
        String limit = limit(full); // before letGo() lowers the counts
        // Only its last frame is left, which OutboundBackpressure bounds. If that counted, the
        // refusals of one connection would cause refusals of the others.
        letGo();
        call.refuse(StatusMapper.tooManyRequests(why));
        cutOffs.cutOff(peer, limit, why); // last, because only the operator needs it
      }
    }

    private synchronized @Nullable Share full() {
      if (whole.hasTooManyCalls() || whole.hasTooManyBytes(bytes)) {
        return whole;
      }
      Share share = connection;
      return share != null && (share.hasTooManyCalls() || share.hasTooManyBytes(bytes))
          ? share
          : null;
    }

    /**
     * Counts an answer before it is made.
     *
     * @throws StatusRuntimeException if it exceeds a limit; then the caller must not make it
     */
    synchronized void expectAnswer(long size) {
      add(size);
      Share full = full();
      if (full != null) {
        add(-size);
        throw refusal(full, peer);
      }
      expectedBytes += size;
    }

    /**
     * Counts bytes, until {@link #release}, of a stream that itself no longer counts as in flight.
     *
     * @throws StatusRuntimeException if they exceed a limit; then the caller must not keep them
     */
    synchronized void hold(long size) {
      held += size;
      addToShares(size);
      Share share = connection;
      if (whole.hasTooManyBytes(held)) {
        release(size);
        throw refusal(whole, peer);
      }
      if (share != null && share.hasTooManyBytes(held)) {
        release(size);
        throw refusal(share, peer);
      }
    }

    /** Stops counting bytes that {@link #hold} counted. */
    synchronized void release(long size) {
      held -= size;
      addToShares(-size);
    }

    /** Stops counting the call: it is a session's stream from now on. */
    synchronized void becomeSession() {
      letGo();
    }

    @Override
    public synchronized void inboundWireSize(long size) {
      wireBytes += size;
      add(size);
      refuseIfOver();
    }

    @Override
    public synchronized void inboundUncompressedSize(long size) {
      long before = Math.max(wireBytes, uncompressedBytes);
      uncompressedBytes += size;
      add(Math.max(wireBytes, uncompressedBytes) - before);
    }

    @Override
    public synchronized void outboundUncompressedSize(long size) {
      long expected = Math.min(size, expectedBytes);
      expectedBytes -= expected;
      add(size - expected);
    }

    private synchronized void add(long size) {
      if (counts) {
        bytes += size;
        addToShares(size);
      }
    }

    private synchronized void addToShares(long size) {
      whole.bytes.addAndGet(size);
      if (connection != null) {
        connection.bytes.addAndGet(size);
      }
    }

    /**
     * Whether the stream closed because its connection was lost. Known before the call's end is.
     */
    synchronized boolean isDisconnected() {
      return disconnected;
    }

    @Override
    public synchronized void streamClosed(Status status) {
      disconnected =
          status.getCode() != Status.Code.OK && status.getCode() != Status.Code.CANCELLED;
      letGo();
      receiving = null;
    }

    private synchronized void letGo() {
      if (counts) {
        counts = false;
        whole.calls.decrementAndGet();
        addToShares(-bytes);
        if (connection != null) {
          connection.calls.decrementAndGet();
        }
        bytes = 0;
      }
    }
  }
}
