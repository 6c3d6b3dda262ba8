package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * A service that goes on answering a call that was closed underneath it. gRPC throws then, and logs
 * the exception with its stack trace.
 */
final class RefusableCallTest {
  private final List<String> seen = new ArrayList<>();
  private @Nullable StreamObserver<ExchangeResponse> service;

  /** Takes one end, as gRPC's calls do. */
  private final class Call extends ServerCall<ExchangeRequest, ExchangeResponse> {
    private final MethodDescriptor<ExchangeRequest, ExchangeResponse> method;
    private boolean closed;

    Call(MethodDescriptor<ExchangeRequest, ExchangeResponse> method) {
      this.method = method;
    }

    @Override
    public void request(int count) {}

    @Override
    public void sendHeaders(Metadata headers) {
      take("headers");
    }

    @Override
    public void sendMessage(ExchangeResponse message) {
      take("message");
    }

    @Override
    public void close(Status status, Metadata trailers) {
      take(status.getCode().name());
      closed = true;
    }

    private void take(String what) {
      if (closed) {
        throw new IllegalStateException("call already closed");
      }
      seen.add(what);
    }

    @Override
    public boolean isCancelled() {
      return false;
    }

    @Override
    public MethodDescriptor<ExchangeRequest, ExchangeResponse> getMethodDescriptor() {
      return method;
    }
  }

  private final class Service extends TransactionServiceGrpc.TransactionServiceImplBase {
    @Override
    public StreamObserver<ExchangeRequest> exchange(StreamObserver<ExchangeResponse> observer) {
      service = observer;
      return new StreamObserver<>() {
        @Override
        public void onNext(ExchangeRequest request) {
          seen.add("command " + request.getId());
        }

        @Override
        public void onError(Throwable why) {}

        @Override
        public void onCompleted() {}
      };
    }
  }

  private void answer() {
    StreamObserver<ExchangeResponse> observer = service;
    assertThat(observer).isNotNull();
    if (observer != null) {
      observer.onNext(ExchangeResponse.getDefaultInstance());
    }
  }

  @SuppressWarnings("unchecked") // it is the only method of that service
  private ServerMethodDefinition<ExchangeRequest, ExchangeResponse> exchange() {
    return (ServerMethodDefinition<ExchangeRequest, ExchangeResponse>)
        MalformedMessages.refusedBy(new Service())
            .getMethod(TransactionServiceGrpc.getExchangeMethod().getFullMethodName());
  }

  @Test
  void refuse_serviceAnswersAndEndsAfterwards_isNotToldAndNothingIsSent() {
    ServerMethodDefinition<ExchangeRequest, ExchangeResponse> method = exchange();
    MethodDescriptor<ExchangeRequest, ExchangeResponse> descriptor = method.getMethodDescriptor();
    ServerCall.Listener<ExchangeRequest> listener =
        method.getServerCallHandler().startCall(new Call(descriptor), new Metadata());
    listener.onMessage(ExchangeRequest.newBuilder().setId(7).build());
    answer();

    listener.onMessage(
        descriptor.parseRequest(new ByteArrayInputStream(new byte[] {0x0a, (byte) 0xff})));
    listener.onMessage(ExchangeRequest.newBuilder().setId(8).build());
    answer();
    listener.onHalfClose();
    listener.onComplete();
    answer();
    StreamObserver<ExchangeResponse> observer = service;
    if (observer != null) {
      observer.onCompleted();
    }

    assertThat(seen)
        .containsExactly("command 7", "headers", "message", Code.INVALID_ARGUMENT.name());
  }

  @Test
  void refuse_serviceHasClosedTheCall_changesNothing() {
    RefusableCall<ExchangeRequest, ExchangeResponse> call =
        RefusableCall.of(new Call(TransactionServiceGrpc.getExchangeMethod()));
    call.close(Status.OK, new Metadata());

    call.refuse(Status.INTERNAL.asRuntimeException());

    assertThat(seen).containsExactly("OK");
  }

  /** A service that ends a call twice is a fault, and must be seen. */
  @Test
  void close_twiceWithoutRefusal_isStillAFault() {
    RefusableCall<ExchangeRequest, ExchangeResponse> call =
        RefusableCall.of(new Call(TransactionServiceGrpc.getExchangeMethod()));
    call.close(Status.OK, new Metadata());

    assertThatThrownBy(() -> call.close(Status.OK, new Metadata()))
        .isInstanceOf(IllegalStateException.class);
    assertThat(RefusableCall.of(call)).isSameAs(call);
  }
}
