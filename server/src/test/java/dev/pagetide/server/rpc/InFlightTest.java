package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Empty;
import dev.pagetide.server.session.CutOffObserver;
import io.grpc.Attributes;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.protobuf.ProtoUtils;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;

/** Calls above the limit, whatever happens to the one who hears of them. */
final class InFlightTest {
  private static final RequestConfig ONE_CALL = limits(1, 1024);
  private static final MethodDescriptor<Empty, Empty> METHOD =
      MethodDescriptor.<Empty, Empty>newBuilder()
          .setType(MethodType.UNARY)
          .setFullMethodName("test/Test")
          .setRequestMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
          .build();

  private final List<String> told = new ArrayList<>();
  private final List<Code> closed = new ArrayList<>();
  private final Queue<Runnable> ticks = new ArrayDeque<>();
  private final ArrivingCalls arriving = new ArrivingCalls(ticks::add);
  private int served;

  private final class Call extends ServerCall<Empty, Empty> {
    private final Attributes connection;

    Call(Attributes connection) {
      this.connection = connection;
    }

    @Override
    public Attributes getAttributes() {
      return connection;
    }

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

  private static RequestConfig limits(int calls, long bytes) {
    return new RequestConfig(
        1024,
        calls,
        bytes,
        Duration.ofSeconds(1),
        true,
        Duration.ofSeconds(10),
        Duration.ofMinutes(5));
  }

  private InFlight inFlight(RequestConfig limits) {
    return new InFlight(limits, (_, limit, _) -> told.add(limit), () -> arriving);
  }

  private InFlight.Ticket begin(InFlight inFlight) {
    return begin(inFlight, Attributes.EMPTY);
  }

  private static Attributes connect(InFlight inFlight) {
    return inFlight.connections().transportReady(Attributes.EMPTY);
  }

  private InFlight.Ticket begin(InFlight inFlight, Attributes connection) {
    InFlight.Ticket ticket =
        (InFlight.Ticket) inFlight.newServerStreamTracer("test/Test", new Metadata());
    Context context = ticket.filterContext(Context.ROOT);
    context.run(() -> {
      var _ =
          inFlight
              .interceptor()
              .interceptCall(
                  new Call(connection),
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
    InFlight inFlight = inFlight(ONE_CALL);
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
  void admit_othersHaveUsedUpTheLimit_isServedWhileItsConnectionHasLittle() {
    InFlight inFlight = inFlight(limits(40, 1 << 20));
    for (int connection = 0; connection < 4; connection++) {
      Attributes hostile = connect(inFlight);
      for (int call = 0; call < 20; call++) {
        var _ = begin(inFlight, hostile);
      }
    }
    // Eight of each connection count against its own share alone: 3 * 12 and 4 use up the limit.
    assertThat(served).isEqualTo(3 * 20 + 8 + 4);
    Attributes honest = connect(inFlight);

    List<InFlight.Ticket> tickets = new ArrayList<>();
    for (int call = 0; call < ConnectionShares.FEW_CALLS; call++) {
      tickets.add(begin(inFlight, honest));
    }

    assertThat(served).isEqualTo(80);
    var _ = begin(inFlight, honest);
    assertThat(served).as("the ninth").isEqualTo(80);
    tickets.getFirst().streamClosed(Status.OK);
    var _ = begin(inFlight, honest);
    assertThat(served).as("the ninth, once the first is over").isEqualTo(81);
  }

  @Test
  void admit_bytesOfOthersUseUpTheLimit_isServedWhileItsConnectionHasLittle() {
    InFlight inFlight = inFlight(limits(40, 1 << 20));
    for (Attributes hostile : List.of(connect(inFlight), connect(inFlight))) {
      begin(inFlight, hostile).inboundWireSize(512 << 10);
      begin(inFlight, hostile).inboundWireSize(1);
    }
    // What each has beyond 64 KiB uses up the limit.
    begin(inFlight, connect(inFlight)).inboundWireSize(192 << 10);
    Attributes honest = connect(inFlight);

    InFlight.Ticket small = begin(inFlight, honest);
    small.inboundWireSize(ConnectionShares.FEW_BYTES);

    assertThat(served).isEqualTo(6);
    int before = closed.size();
    small.inboundWireSize(1);
    assertThat(closed).hasSize(before + 1);
    assertThat(told).last().isEqualTo("--max-request-bytes-in-flight");
  }

  @Test
  void inboundWireSize_othersCallsGoAboveTheLimit_doesNotEndACallThatWasAdmitted() {
    InFlight inFlight = inFlight(limits(20, 1 << 20));
    Attributes busy = connect(inFlight);
    List<InFlight.Ticket> tickets = new ArrayList<>();
    for (int call = 0; call < 10; call++) {
      tickets.add(begin(inFlight, busy));
    }
    for (int connection = 0; connection < 2; connection++) {
      Attributes other = connect(inFlight);
      for (int call = 0; call < ConnectionShares.FEW_CALLS; call++) {
        var _ = begin(inFlight, other);
      }
    }

    tickets.forEach(ticket -> ticket.inboundWireSize(10));

    assertThat(closed).isEmpty();
    assertThat(told).isEmpty();
  }

  @Test
  void becomeSession_theLimitIsUsedUp_isNotEndedByWhatItReceives() {
    InFlight inFlight = inFlight(ONE_CALL);
    InFlight.Ticket stream = begin(inFlight);
    stream.becomeSession();
    begin(inFlight).hold(2000);

    stream.inboundWireSize(10);

    assertThat(closed).isEmpty();
    assertThat(told).isEmpty();
  }

  @Test
  void admit_aboveTheLimitAndTheObserverFails_isRefusedAndCountedNoLongerNevertheless() {
    CutOffObserver failing =
        (_, _, _) -> {
          throw new OutOfMemoryError("unable to create native thread");
        };
    InFlight inFlight = new InFlight(ONE_CALL, failing, () -> arriving);
    InFlight.Ticket first = begin(inFlight);

    assertThatThrownBy(() -> begin(inFlight)).isInstanceOf(OutOfMemoryError.class);

    assertThat(closed).containsExactly(Code.RESOURCE_EXHAUSTED);
    first.streamClosed(Status.OK);
    var _ = begin(inFlight);
    assertThat(served).isEqualTo(2);
  }

  /** One eighth of the time that a request may take. */
  private void tick() {
    ticks.remove().run();
  }

  @Test
  void tick_requestNotAllInInTime_isRefusedCountedNoLongerAndTold() {
    InFlight inFlight = inFlight(ONE_CALL);
    Attributes connection = connect(inFlight);
    InFlight.Ticket slow = begin(inFlight, connection);
    for (int tick = 0; tick < ArrivingCalls.TICKS; tick++) {
      tick();
      slow.inboundWireSize(1); // bytes that keep coming do not help
    }
    assertThat(closed).isEmpty();

    tick();

    assertThat(closed).containsExactly(Code.DEADLINE_EXCEEDED);
    assertThat(told).containsExactly("--request-wait");
    assertThat(ticks).as("nothing is left to wait for").isEmpty();
    var _ = begin(inFlight, connection);
    assertThat(served).as("the limit of one call is free again").isEqualTo(2);
  }

  @Test
  void tick_requestIsOverOrASession_isLeftAlone() {
    InFlight inFlight = inFlight(limits(100, 1 << 20));
    Attributes connection = connect(inFlight);
    InFlight.Ticket closedEarly = begin(inFlight, connection);
    InFlight.Ticket session = begin(inFlight, connection);
    InFlight.Ticket late = begin(inFlight, connection);
    session.becomeSession();
    closedEarly.streamClosed(Status.OK);

    for (int tick = 0; tick <= ArrivingCalls.TICKS; tick++) {
      tick();
    }

    assertThat(closed).as("the late one").hasSize(1);
    assertThat(ticks).isEmpty();
    late.streamClosed(Status.OK);
    assertThat(closed).hasSize(1);
  }

  @Test
  void tick_callsBeganAtDifferentTimes_endsThoseThatAreTooLate() {
    InFlight inFlight = inFlight(limits(100, 1 << 20));
    Attributes connection = connect(inFlight);
    var _ = begin(inFlight, connection);
    var _ = begin(inFlight, connection);
    tick();
    var _ = begin(inFlight, connection);

    for (int tick = 0; tick < ArrivingCalls.TICKS; tick++) {
      tick();
    }

    assertThat(closed).as("those of before the first tick").hasSize(2);
    tick();
    assertThat(closed).hasSize(3);
    assertThat(ticks).isEmpty();
  }
}
