package dev.pagetide.server.rpc;

import dev.pagetide.server.rpc.ConnectionShares.Connection;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.grpc.Attributes;
import io.grpc.Context;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerStreamTracer;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The limit on requests in flight, in calls and in bytes, over all connections.
 *
 * <p>A request is in flight from its headers until its stream is closed on the wire. The end of the
 * call would be too early, because an answer that the client does not read stays in the server's
 * memory long after the call "finished". gRPC's own limit would not do, because it counts session
 * streams, which may live without limit. A session stream is in flight until its session is open;
 * from then on the limit on sessions counts it. {@link ConnectionShares} says how much of the limit
 * one uid and one connection may have.
 */
/*
 * When a byte counts. A byte of a request counts as it arrives, because 500 calls that each hold
 * back their last byte take as much memory as 500 whole ones. A large answer counts before it is
 * made, because otherwise 500 Reads that were admitted while nothing was in flight would become 500
 * answers. A call that exceeds a limit is refused before it has done anything. A call that is alone
 * never exceeds a limit: otherwise no client could make a call that is larger than half the limit.
 *
 * Others cannot keep a connection from being served that has little in flight (see
 * ConnectionShares). Calls are compared with the limits only when a call begins, so no later call
 * ends one that was admitted before.
 */
final class InFlight extends ServerStreamTracer.Factory {
  private static final Context.Key<Ticket> TICKET = Context.key("pagetide-in-flight");
  private static final Attributes.Key<Connection> CONNECTION =
      Attributes.Key.create("pagetide-in-flight");

  private static final Attributes.Key<ArrivingCalls> ARRIVING =
      Attributes.Key.create("pagetide-arriving");

  /** More pieces than a message of --max-data-bytes has, if each is a frame of usual size. */
  private static final int FEW_PIECES = 128;

  private static final int PIECE_BYTES = 256;

  private static final String MAX_CALLS = "--max-requests-in-flight";
  private static final String MAX_BYTES = "--max-request-bytes-in-flight";

  private final Share whole;
  private final ConnectionShares shares;
  private final RequestConfig limits;
  private final CutOffObserver cutOffs;
  private final Supplier<ArrivingCalls> arriving;

  /**
   * A limit with no request in flight.
   *
   * @param cutOffs is notified of each call that is refused
   * @param arriving gives the calls that arrive on the loop of the thread that asks
   */
  InFlight(RequestConfig limits, CutOffObserver cutOffs, Supplier<ArrivingCalls> arriving) {
    this.limits = limits;
    this.cutOffs = cutOffs;
    this.arriving = arriving;
    this.whole = new Share(limits.maxRequestsInFlight(), limits.maxRequestBytesInFlight());
    this.shares = new ConnectionShares(whole, limits.oneUid());
  }

  /**
   * The memory that one more piece of a message takes besides its bytes. A message comes in few
   * pieces, unless its client divides it into thousands.
   *
   * @param number how many pieces there are with this one
   */
  static long weightOfPiece(int number) {
    return number > FEW_PIECES ? PIECE_BYTES : 0;
  }

  /** The ticket of the call for which this thread works. */
  static Ticket ticket() {
    Ticket ticket = TICKET.get();
    if (ticket == null) {
      throw new AssertionError("a call without the tracer of requests in flight");
    }
    return ticket;
  }

  /** Gives each connection its shares. */
  ServerTransportFilter connections() {
    return new ServerTransportFilter() {
      @Override
      public Attributes transportReady(Attributes attributes) {
        Connection connection = shares.begun(PeerNegotiator.of(attributes));
        return attributes.toBuilder()
            .set(CONNECTION, connection)
            .set(ARRIVING, arriving.get())
            .build();
      }

      @Override
      public void transportTerminated(@Nullable Attributes attributes) {
        Connection connection = attributes == null ? null : attributes.get(CONNECTION);
        if (connection != null) {
          shares.ended(connection);
        }
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
        ticket.admit(refusable);
        if (ticket.isRefused()) {
          return new ServerCall.Listener<>() {};
        }
        MethodDescriptor<Q, A> method = call.getMethodDescriptor();
        boolean arrivesWithAMessage =
            method.getType() == MethodType.BIDI_STREAMING
                && !method.getFullMethodName().equals(ArrivingMessage.EXCHANGE);
        return new Admission<>(next.startCall(refusable, headers), ticket, arrivesWithAMessage);
      }
    };
  }

  /** Keeps a call from the service if it was refused while its request arrived. */
  private static final class Admission<Q> extends SimpleForwardingServerCallListener<Q> {
    private final Ticket ticket;

    /** Whether the request is there with its first message: a stream that is no session's. */
    private final boolean arrivesWithAMessage;

    Admission(ServerCall.Listener<Q> service, Ticket ticket, boolean arrivesWithAMessage) {
      super(service);
      this.ticket = ticket;
      this.arrivesWithAMessage = arrivesWithAMessage;
    }

    @Override
    public void onMessage(Q message) {
      if (arrivesWithAMessage) {
        ticket.allIsIn();
      }
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

  private String why(Share share, @Nullable Connection connection) {
    String whose = "";
    if (connection != null && share == connection.own()) {
      whose = " on this connection, which may have " + (limits.oneUid() ? "half" : "a quarter");
    } else if (connection != null && share == connection.user()) {
      whose = " of this uid, which may have " + (limits.oneUid() ? "all" : "half");
    }
    return String.format(
        Locale.ROOT,
        "too many requests in flight%s: read the answers of those under way first"
            + " (--max-requests-in-flight=%d, --max-request-bytes-in-flight=%d)",
        whose.isEmpty() ? "" : whose + " of them",
        limits.maxRequestsInFlight(),
        limits.maxRequestBytesInFlight());
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
    /** Null only in tests: every connection has its shares before its first call. */
    private @Nullable Connection connection;

    /** Where the call is while its request arrives. Its fields are confined to the loop. */
    private @Nullable ArrivingCalls arriving;

    InFlight.@Nullable Ticket previous;
    InFlight.@Nullable Ticket next;
    int beganAtTick;

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

    /** In how many pieces the request has come so far. */
    private int pieces;

    private boolean disconnected;

    @Override
    public Context filterContext(Context context) {
      return context.withValue(TICKET, this);
    }

    private synchronized void admit(RefusableCall<?, ?> call) {
      receiving = call;
      Connection shares = call.getAttributes().get(CONNECTION);
      connection = shares;
      peer = PeerNegotiator.of(call);
      counts = true;
      if (shares == null) {
        whole.addCall();
      } else {
        shares.addCall(whole);
      }
      Share full = overLimit(/* ofCalls= */ true, 0);
      if (full != null) {
        refuse(full, MAX_CALLS);
      } else {
        refuseIfTooManyBytes();
      }
      ArrivingCalls loops = call.getAttributes().get(ARRIVING);
      if (!refused && loops != null) {
        loops.add(this);
        arriving = loops;
      }
    }

    /** From now on nothing that arrives is part of a request in flight. On the call's loop. */
    private synchronized void stopReceiving() {
      receiving = null;
      ArrivingCalls loops = arriving;
      if (loops != null) {
        arriving = null;
        loops.remove(this);
      }
    }

    private synchronized boolean isRefused() {
      return refused;
    }

    private synchronized void allIsIn() {
      refuseIfTooManyBytes();
      stopReceiving();
    }

    private synchronized void refuseIfTooManyBytes() {
      if (receiving == null) {
        return;
      }
      Share full = overLimit(/* ofCalls= */ false, bytes);
      if (full != null) {
        refuse(full, MAX_BYTES);
      }
    }

    private synchronized void refuse(Share full, String limit) {
      String why = why(full, connection);
      refuse(StatusMapper.tooManyRequests(why), limit, why);
    }

    /** Ends the call because its request has not come in time. On the call's loop. */
    synchronized void isTooLate() {
      String why =
          String.format(
              Locale.ROOT,
              "the request was not all there within --request-wait=%dms; send it again, at once",
              limits.requestWait().toMillis());
      refuse(StatusMapper.requestTooLate(why), "--request-wait", why);
    }

    /** Refuses the call, unless its request is all in, or it is refused already. */
    private synchronized void refuse(StatusRuntimeException refusal, String limit, String why) {
      RefusableCall<?, ?> call = receiving;
      stopReceiving();
      if (call != null && !refused) {
        refused = true;
        // Only its last frame is left, which OutboundBackpressure bounds. If that counted, the
        // refusals of one connection would cause refusals of the others.
        letGo();
        call.refuse(refusal);
        cutOffs.cutOff(peer, limit, why); // last, because only the operator needs it
      }
    }

    /** The share that is over its limit, if one of them is that this call has to stay within. */
    private synchronized @Nullable Share overLimit(boolean ofCalls, long ownBytes) {
      Connection shares = connection;
      if (shares == null) {
        return whole.isOver(ofCalls, ownBytes) ? whole : null;
      }
      if (shares.own().isOver(ofCalls, ownBytes)) {
        return shares.own();
      }
      if (shares.hasLittle()) {
        return null;
      }
      if (whole.isOver(ofCalls, ownBytes)) {
        return whole;
      }
      return shares.user().isOver(ofCalls, ownBytes) ? shares.user() : null;
    }

    /** The refusal because a share holds too many bytes; tells the operator of it. */
    synchronized StatusRuntimeException tooManyBytes(Share full) {
      String why = why(full, connection);
      cutOffs.cutOff(peer, MAX_BYTES, why);
      return StatusMapper.tooManyRequests(why);
    }

    /**
     * Counts an answer before it is made.
     *
     * @throws StatusRuntimeException if it exceeds a limit; then the caller must not make it
     */
    synchronized void expectAnswer(long size) {
      add(size);
      Share full = overLimit(/* ofCalls= */ false, bytes);
      if (full != null) {
        add(-size);
        throw tooManyBytes(full);
      }
      expectedBytes += size;
    }

    /**
     * Counts bytes, until {@link #release}, of a stream that itself no longer counts as in flight.
     *
     * @throws StatusRuntimeException if they exceed a limit; then the caller must not keep them
     */
    synchronized void hold(long size) {
      Share full = tryHold(size);
      if (full != null) {
        throw tooManyBytes(full);
      }
    }

    /**
     * As {@link #hold}, but tells nobody if they do not count.
     *
     * @return the share that they exceed; null if they count
     */
    synchronized @Nullable Share tryHold(long size) {
      held += size;
      addToShares(size);
      Share full = overLimit(/* ofCalls= */ false, held);
      if (full != null) {
        release(size);
      }
      return full;
    }

    /**
     * Bytes that parts of messages of the call's uid may still have beyond its limit; null in tests
     * without connections.
     */
    synchronized @Nullable AtomicLong allowance() {
      Connection shares = connection;
      return shares == null ? null : shares.allowance();
    }

    /** Stops counting bytes that {@link #hold} counted. */
    synchronized void release(long size) {
      held -= size;
      addToShares(-size);
    }

    /**
     * Stops counting the call: it is a session's stream from now on. Called on the call's loop,
     * unless its request is all in.
     */
    synchronized void becomeSession() {
      letGo();
      stopReceiving();
    }

    @Override
    public synchronized void inboundWireSize(long size) {
      wireBytes += size;
      pieces++;
      add(size + weightOfPiece(pieces));
      refuseIfTooManyBytes();
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
      Connection shares = connection;
      if (shares == null) {
        whole.addBytes(size);
      } else {
        shares.addBytes(whole, size);
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
      stopReceiving();
    }

    private synchronized void letGo() {
      if (counts) {
        counts = false;
        addToShares(-bytes);
        Connection shares = connection;
        if (shares == null) {
          whole.removeCall();
        } else {
          shares.removeCall(whole);
        }
        bytes = 0;
      }
    }
  }
}
