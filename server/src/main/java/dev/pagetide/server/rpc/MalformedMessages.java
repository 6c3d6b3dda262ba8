package dev.pagetide.server.rpc;

import com.google.rpc.Code;
import dev.pagetide.v1.ErrorReason;
import io.grpc.BindableService;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.StatusRuntimeException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Answers a request that is not a message of the contract with INVALID_ARGUMENT.
 *
 * <p>gRPC itself treats an exception of its parser as a fault of the service. It would log the
 * exception with its stack trace and answer UNKNOWN.
 */
final class MalformedMessages {
  private MalformedMessages() {}

  /** The same service, but it refuses messages that it cannot parse. */
  static ServerServiceDefinition refusedBy(BindableService service) {
    ServerServiceDefinition definition = service.bindService();
    List<ServerMethodDefinition<?, ?>> methods = new ArrayList<>();
    ServiceDescriptor.Builder descriptor =
        ServiceDescriptor.newBuilder(definition.getServiceDescriptor().getName())
            .setSchemaDescriptor(definition.getServiceDescriptor().getSchemaDescriptor());
    for (ServerMethodDefinition<?, ?> method : definition.getMethods()) {
      ServerMethodDefinition<?, ?> refusing = refusedBy(method);
      methods.add(refusing);
      descriptor.addMethod(refusing.getMethodDescriptor());
    }
    ServerServiceDefinition.Builder builder = ServerServiceDefinition.builder(descriptor.build());
    methods.forEach(builder::addMethod);
    return builder.build();
  }

  private static <Q, A> ServerMethodDefinition<Q, A> refusedBy(
      ServerMethodDefinition<Q, A> method) {
    MethodDescriptor<Q, A> descriptor = method.getMethodDescriptor();
    if (!(descriptor.getRequestMarshaller() instanceof PrototypeMarshaller<Q> marshaller)) {
      throw new IllegalArgumentException(descriptor + " does not take protobuf messages");
    }
    Requests<Q> requests = new Requests<>(marshaller);
    ServerCallHandler<Q, A> handler = method.getServerCallHandler();
    return ServerMethodDefinition.create(
        descriptor.toBuilder().setRequestMarshaller(requests).build(),
        (call, headers) -> {
          RefusableCall<Q, A> refusable = RefusableCall.of(call);
          return new Listener<>(
              handler.startCall(refusable, headers), refusable, requests.malformed);
        });
  }

  /** Parses messages. A message that cannot be parsed becomes one special message. */
  private static final class Requests<Q> implements PrototypeMarshaller<Q> {
    private final PrototypeMarshaller<Q> parser;

    /** Compared by identity: every other message is parsed into an object of its own. */
    private final Q malformed;

    Requests(PrototypeMarshaller<Q> parser) {
      this.parser = parser;
      this.malformed = parser.parse(InputStream.nullInputStream());
    }

    @Override
    public InputStream stream(Q value) {
      return parser.stream(value);
    }

    @Override
    public Q parse(InputStream stream) {
      try {
        return parser.parse(stream);
      } catch (StatusRuntimeException e) {
        return malformed;
      }
    }

    @Override
    public @Nullable Q getMessagePrototype() {
      return parser.getMessagePrototype();
    }

    @Override
    public Class<Q> getMessageClass() {
      return parser.getMessageClass();
    }
  }

  private static final class Listener<Q, A> extends SimpleForwardingServerCallListener<Q> {
    private final RefusableCall<Q, A> call;
    private final Q malformed;
    private boolean refused;

    Listener(ServerCall.Listener<Q> service, RefusableCall<Q, A> call, Q malformed) {
      super(service);
      this.call = call;
      this.malformed = malformed;
    }

    @Override
    @SuppressWarnings("ReferenceEquality") // an equal message may be a client's
    public void onMessage(Q message) {
      if (refused) {
        return;
      }
      if (message != malformed) {
        super.onMessage(message);
        return;
      }
      refused = true;
      StatusRuntimeException refusal =
          StatusMapper.status(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_MALFORMED_MESSAGE,
              String.format(
                  Locale.ROOT,
                  "the request is not a %s in protobuf's encoding; send one as the contract has it",
                  call.getMethodDescriptor().getRequestMarshaller() instanceof Requests<?> r
                      ? r.getMessageClass().getSimpleName()
                      : "message"));
      call.refuse(refusal);
    }

    @Override
    public void onHalfClose() {
      if (!refused) {
        super.onHalfClose();
      }
    }
  }
}
