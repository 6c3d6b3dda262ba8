package dev.pagetide.server.rpc;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;

/**
 * A call that can be refused underneath its service. The service learns of it only when the stream
 * closes. What it sends until then is dropped; without this, gRPC would throw, and log a stack
 * trace for each message that a client got refused.
 */
/*
 * RACE: the service may send on another thread while the event loop refuses. Then gRPC may throw
 * for a call that has just been closed; we look again, and drop that, too.
 */
final class RefusableCall<Q, A> extends SimpleForwardingServerCall<Q, A> {
  private volatile boolean refused;

  private RefusableCall(ServerCall<Q, A> call) {
    super(call);
  }

  /** The call itself if it can be refused, else a call around it that can. */
  static <Q, A> RefusableCall<Q, A> of(ServerCall<Q, A> call) {
    return call instanceof RefusableCall<Q, A> refusable ? refusable : new RefusableCall<>(call);
  }

  /** Closes the call; its service need not know. */
  void refuse(StatusRuntimeException refusal) {
    Metadata trailers = refusal.getTrailers();
    refused = true;
    try {
      super.close(refusal.getStatus(), trailers == null ? new Metadata() : trailers);
    } catch (IllegalStateException e) {
      // The service has closed the call itself.
    }
  }

  @Override
  public void sendHeaders(Metadata headers) {
    if (!refused) {
      try {
        super.sendHeaders(headers);
      } catch (IllegalStateException e) {
        throwUnlessRefused(e);
      }
    }
  }

  @Override
  public void sendMessage(A message) {
    if (!refused) {
      try {
        super.sendMessage(message);
      } catch (IllegalStateException e) {
        throwUnlessRefused(e);
      }
    }
  }

  @Override
  public void close(Status status, Metadata trailers) {
    if (!refused) {
      try {
        super.close(status, trailers);
      } catch (IllegalStateException e) {
        throwUnlessRefused(e);
      }
    }
  }

  private void throwUnlessRefused(IllegalStateException e) {
    if (!refused) {
      throw e;
    }
  }
}
