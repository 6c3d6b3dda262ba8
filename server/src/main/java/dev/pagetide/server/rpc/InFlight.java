package dev.pagetide.server.rpc;

import io.grpc.Attributes;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerStreamTracer;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The limit on requests in flight, in calls and in bytes, over all connections.
 *
 * <p>A request is in flight from its headers until its stream is closed on the wire: an answer that
 * the client does not read sits in the server's memory long after the call "finished", and gRPC's
 * own limit counts session streams, which may live for ever. Session streams are not counted here.
 * One connection gets half of the limit at most, so that no client can take it all.
 */
final class InFlight extends ServerStreamTracer.Factory {
  private static final Context.Key<Tracer> TRACER = Context.key("pagetide-in-flight");
  private static final Attributes.Key<Share> SHARE = Attributes.Key.create("pagetide-in-flight");

  private final Share whole;
  private final RequestLimits limits;
  private final String sessionStreamMethod;

  /**
   * No request in flight yet.
   *
   * @param sessionStreamMethod full name of the method whose calls are not counted
   */
  InFlight(RequestLimits limits, String sessionStreamMethod) {
    this.limits = limits;
    this.whole = new Share(limits.maxRequestsInFlight(), limits.maxRequestBytesInFlight());
    this.sessionStreamMethod = sessionStreamMethod;
  }

  /** A limit and what counts against it. */
  private static final class Share {
    private final int maxCalls;
    private final long maxBytes;
    private final AtomicInteger calls = new AtomicInteger();
    private final AtomicLong bytes = new AtomicLong();

    Share(int maxCalls, long maxBytes) {
      this.maxCalls = maxCalls;
      this.maxBytes = maxBytes;
    }

    boolean isOver() {
      return calls.get() > maxCalls || bytes.get() > maxBytes;
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

  /** Refuses calls above a limit, before their message is read. */
  ServerInterceptor interceptor() {
    return new ServerInterceptor() {
      @Override
      public <Q, A> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        Tracer tracer = TRACER.get();
        if (tracer == null) {
          return next.startCall(call, headers);
        }
        Share connection = call.getAttributes().get(SHARE);
        if (connection != null) {
          tracer.countAlso(connection);
        }
        if (whole.isOver() || (connection != null && connection.isOver())) {
          StatusRuntimeException refusal = refusal(whole.isOver() ? whole : connection);
          Metadata trailers = refusal.getTrailers();
          call.close(refusal.getStatus(), trailers == null ? new Metadata() : trailers);
          return new ServerCall.Listener<>() {};
        }
        return next.startCall(call, headers);
      }
    };
  }

  private StatusRuntimeException refusal(@Nullable Share share) {
    return Statuses.tooManyRequests(
        ("too many requests in flight%s: read the answers of those under way first"
                + " (--max-requests-in-flight=%d, --max-request-bytes-in-flight=%d)")
            .formatted(
                share == whole ? "" : " on this connection, which may have half of them",
                limits.maxRequestsInFlight(),
                limits.maxRequestBytesInFlight()));
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String fullMethodName, Metadata headers) {
    return fullMethodName.equals(sessionStreamMethod) ? NOT_COUNTED : new Tracer(whole);
  }

  private static final ServerStreamTracer NOT_COUNTED = new ServerStreamTracer() {};

  /** One call's part of what is in flight. */
  private static final class Tracer extends ServerStreamTracer {
    private final Share whole;
    // ORDER: both are written under the tracer's monitor: the event loop counts and closes, a
    // worker
    // may send the answer.
    private @Nullable Share connection;
    private long bytes;
    private boolean closed;

    Tracer(Share whole) {
      this.whole = whole;
      whole.calls.incrementAndGet();
    }

    @Override
    public Context filterContext(Context context) {
      return context.withValue(TRACER, this);
    }

    synchronized void countAlso(Share share) {
      if (!closed) {
        connection = share;
        share.calls.incrementAndGet();
        share.bytes.addAndGet(bytes);
      }
    }

    @Override
    public void inboundUncompressedSize(long size) {
      add(size);
    }

    @Override
    public void outboundUncompressedSize(long size) {
      add(size);
    }

    private synchronized void add(long size) {
      if (!closed) {
        bytes += size;
        whole.bytes.addAndGet(size);
        if (connection != null) {
          connection.bytes.addAndGet(size);
        }
      }
    }

    @Override
    public synchronized void streamClosed(Status status) {
      if (!closed) {
        closed = true;
        whole.calls.decrementAndGet();
        whole.bytes.addAndGet(-bytes);
        if (connection != null) {
          connection.calls.decrementAndGet();
          connection.bytes.addAndGet(-bytes);
        }
      }
    }
  }
}
