package dev.pagetide.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.pagetide.v1.Failed;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The one mapping from gRPC statuses, with their {@code google.rpc} details, to exceptions. */
final class StatusMapping {

  private static final String DOMAIN = "pagetide";

  /** How a two-way transaction ends that its receiver may have begun to serve. */
  private static final Set<ErrorReason> ENDED_AFTER_DELIVERY =
      EnumSet.of(
          ErrorReason.TARGET_DIED,
          ErrorReason.TRANSACTION_TIMED_OUT,
          ErrorReason.TRANSACTION_CANCELLED);

  private StatusMapping() {}

  /** What the failure {@code t} of the rpc named {@code rpc} says to the caller. */
  static PagetideException exception(String rpc, Throwable t) {
    if (t instanceof PagetideException already) {
      return already;
    }
    Metadata trailers = Status.trailersFromThrowable(t);
    return exception(rpc, Status.fromThrowable(t), trailers == null ? new Metadata() : trailers);
  }

  /** What the end of the rpc named {@code rpc} with {@code status} says to the caller. */
  static PagetideException exception(String rpc, Status status, Metadata trailers) {
    StatusRuntimeException cause = status.asRuntimeException(trailers);
    ErrorReason reason = null;
    Duration retryDelay = null;
    com.google.rpc.Status rich = StatusProto.fromThrowable(cause);
    if (rich != null) {
      for (Any detail : rich.getDetailsList()) {
        try {
          if (detail.is(ErrorInfo.class)) {
            reason = reason(detail.unpack(ErrorInfo.class));
          } else if (detail.is(RetryInfo.class)) {
            var delay = detail.unpack(RetryInfo.class).getRetryDelay();
            retryDelay = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
          }
        } catch (InvalidProtocolBufferException e) {
          cause.addSuppressed(e);
        }
      }
    }
    boolean unknown = outcomeUnknown(status.getCode(), reason);
    String message = message(rpc, status, reason != null, unknown);
    boolean refused = reason != null && !unknown; // an answer: how it came here explains nothing
    return new PagetideException(
        WireEnums.code(status.getCode()),
        reason,
        message,
        retryDelay,
        unknown,
        0,
        refused ? null : cause);
  }

  /**
   * What an Exchange's {@code failed} says to whoever gave the command.
   *
   * @param mayHaveBeenDelivered whether the command was one that somebody else may have acted upon
   *     before it failed: a two-way transaction
   */
  static PagetideException exception(Failed failed, boolean mayHaveBeenDelivered) {
    StatusCode code = WireEnums.code(Status.fromCodeValue(failed.getCode()).getCode());
    dev.pagetide.v1.ErrorReason named = failed.getReason();
    ErrorReason reason =
        named == dev.pagetide.v1.ErrorReason.ERROR_REASON_UNSPECIFIED
            ? null
            : WireEnums.reason(named);
    boolean unknown =
        reason == ErrorReason.INTERNAL_BUG
            || (mayHaveBeenDelivered && reason != null && ENDED_AFTER_DELIVERY.contains(reason));
    long delayMillis = Integer.toUnsignedLong(failed.getRetryDelayMs());
    return new PagetideException(
        code,
        reason,
        failed.getMessage().isEmpty() ? "the server answered " + code : failed.getMessage(),
        delayMillis == 0 ? null : Duration.ofMillis(delayMillis),
        unknown,
        0,
        null);
  }

  private static @Nullable ErrorReason reason(ErrorInfo info) {
    if (!info.getDomain().equals(DOMAIN)) {
      return null;
    }
    return WireEnums.reason(info.getReason());
  }

  /**
   * Only the server's own reason proves that it refused. INTERNAL_BUG proves nothing: the fault may
   * have come after the work. UNIMPLEMENTED is the one refusal that comes from below the service.
   */
  private static boolean outcomeUnknown(Status.Code code, @Nullable ErrorReason reason) {
    if (reason == null) {
      return code != Status.Code.UNIMPLEMENTED;
    }
    return reason == ErrorReason.INTERNAL_BUG;
  }

  /** What the system said: "Connection refused" is deep inside. */
  private static String innermost(@Nullable Throwable failure) {
    String said = "";
    for (Throwable t = failure; t != null; t = t.getCause()) {
      String message = t.getMessage();
      said = ": " + (message == null ? t.getClass().getSimpleName() : message);
    }
    return said;
  }

  private static String message(String rpc, Status status, boolean answered, boolean unknown) {
    String description = status.getDescription();
    if (answered && description != null && !description.isEmpty()) {
      return description;
    }
    StringBuilder text = new StringBuilder();
    switch (status.getCode()) {
      case UNAVAILABLE -> text.append(rpc).append(": the server cannot be reached");
      case DEADLINE_EXCEEDED -> text.append(rpc).append(": no answer in time");
      case CANCELLED -> text.append(rpc).append(": cancelled");
      default -> text.append(rpc).append(" ended with ").append(status.getCode());
    }
    if (description != null && !description.isEmpty()) {
      text.append(" (").append(description).append(')');
    }
    if (status.getCode() == Status.Code.UNAVAILABLE) {
      text.append(innermost(status.getCause()));
    }
    if (unknown && status.getCode() != Status.Code.UNAVAILABLE) {
      text.append("; whether it was done is unknown");
    }
    return text.toString();
  }
}
