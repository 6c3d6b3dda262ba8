package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Empty;
import dev.pagetide.server.session.CutOffObserver;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.protobuf.ProtoUtils;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Calls above the limit, whatever happens to the one who hears of them. */
final class InFlightTest {
  private static final RequestConfig ONE_CALL =
      new RequestConfig(1024, 1, 1024, Duration.ofSeconds(1));
  private static final MethodDescriptor<Empty, Empty> METHOD =
      MethodDescriptor.<Empty, Empty>newBuilder()
          .setType(MethodType.UNARY)
          .setFullMethodName("test/Test")
          .setRequestMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
          .build();

  private final List<String> told = new ArrayList<>();
  private final List<Code> closed = new ArrayList<>();
  private int served;

  private final class Call extends ServerCall<Empty, Empty> {
    @Override
    public void request(int messages) {}

    @Override
    public void sendHeaders(Metadata headers) {}

    @Override
    public void sendMessage(Empty message) {}

    @Override
    public void close(Status status, Metadata trailers) {
      closed.add(status.getCode());
    }

    @Override
    public boolean isCancelled() {
      return false;
    }

    @Override
    public MethodDescriptor<Empty, Empty> getMethodDescriptor() {
      return METHOD;
    }
  }

  private InFlight.Ticket begin(InFlight inFlight) {
    InFlight.Ticket ticket =
        (InFlight.Ticket) inFlight.newServerStreamTracer("test/Test", new Metadata());
    Context context = ticket.filterContext(Context.ROOT);
    context.run(() -> {
      var _ =
          inFlight
              .interceptor()
              .interceptCall(
                  new Call(),
                  new Metadata(),
                  (_, _) -> {
                    served++;
                    return new ServerCall.Listener<Empty>() {};
                  });
    });
    return ticket;
  }

  @Test
  void admit_aboveTheLimit_isRefusedCountedNoLongerAndTold() {
    InFlight inFlight = new InFlight(ONE_CALL, (_, limit, _) -> told.add(limit));
    InFlight.Ticket first = begin(inFlight);

    var _ = begin(inFlight);

    assertThat(closed).containsExactly(Code.RESOURCE_EXHAUSTED);
    assertThat(told).containsExactly("--max-requests-in-flight");
    assertThat(served).isEqualTo(1);
    first.streamClosed(Status.OK);
    var _ = begin(inFlight);
    assertThat(served).isEqualTo(2);
  }

  @Test
  void admit_aboveTheLimitAndTheObserverFails_isRefusedAndCountedNoLongerNevertheless() {
    CutOffObserver failing =
        (_, _, _) -> {
          throw new OutOfMemoryError("unable to create native thread");
        };
    InFlight inFlight = new InFlight(ONE_CALL, failing);
    InFlight.Ticket first = begin(inFlight);

    assertThatThrownBy(() -> begin(inFlight)).isInstanceOf(OutOfMemoryError.class);

    assertThat(closed).containsExactly(Code.RESOURCE_EXHAUSTED);
    first.streamClosed(Status.OK);
    var _ = begin(inFlight);
    assertThat(served).isEqualTo(2);
  }
}
