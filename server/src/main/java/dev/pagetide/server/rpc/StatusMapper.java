package dev.pagetide.server.rpc;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.pagetide.server.buffer.BufferFailure;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.session.SessionFailure;
import dev.pagetide.server.transaction.TransactionFailure;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.Failed;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Maps each failure to its status. Only this class knows codes, reasons and retry delays. */
final class StatusMapper {
  private static final Logger LOG = LoggerFactory.getLogger(StatusMapper.class);
  private static final String DOMAIN = "pagetide";
  private static final String REASON_PREFIX = "ERROR_REASON_";

  /** After how long to try again if other clients have to give something back first. */
  private static final Duration RETRY_SOON = Duration.newBuilder().setNanos(100_000_000).build();

  /** Faults so far. Each has a line in the log, and like the log this is one for the process. */
  private static final LongAdder FAULTS = new LongAdder();

  private StatusMapper() {}

  /** How many statuses so far have said that the server itself is at fault. */
  static long faults() {
    return FAULTS.sum();
  }

  /**
   * The status for whatever a handler threw. An unexpected exception is logged under an id, and the
   * status names that id.
   */
  static StatusRuntimeException of(Throwable thrown) {
    return switch (thrown) {
      case StatusRuntimeException status -> status;
      case PageFailure failure -> of(failure);
      case SessionFailure failure -> of(failure);
      case BufferFailure failure -> of(failure);
      case TransactionFailure failure -> of(failure);
      default -> bug(thrown);
    };
  }

  private static StatusRuntimeException of(PageFailure failure) {
    return switch (failure) {
      case PageFailure.PastEnd f ->
          status(Code.OUT_OF_RANGE, ErrorReason.ERROR_REASON_PAST_END, f.getMessage());
      case PageFailure.SizeInvalid f ->
          status(Code.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_SIZE_INVALID, f.getMessage());
      case PageFailure.NotUsed f ->
          status(Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_PAGE_NOT_USED, f.getMessage());
      case PageFailure.NoMemory f ->
          status(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_NO_MEMORY,
              f.getMessage(),
              f.hopeless() ? null : RETRY_SOON);
      case PageFailure.Closed f ->
          status(Code.ABORTED, ErrorReason.ERROR_REASON_SESSION_ENDED, f.getMessage());
      case PageFailure.TableCorrupt f ->
          status(Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TABLE_CORRUPT, f.getMessage());
      case PageFailure.SystemRefused f -> bug(f);
    };
  }

  private static StatusRuntimeException of(SessionFailure failure) {
    return switch (failure) {
      case SessionFailure.Unknown f ->
          status(Code.NOT_FOUND, ErrorReason.ERROR_REASON_UNKNOWN_SESSION, f.getMessage());
      case SessionFailure.NameInvalid f ->
          status(Code.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_NAME_INVALID, f.getMessage());
      case SessionFailure.NameTaken f ->
          status(Code.ALREADY_EXISTS, ErrorReason.ERROR_REASON_NAME_TAKEN, f.getMessage());
      case SessionFailure.TooMany f ->
          status(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_TOO_MANY_SESSIONS,
              f.getMessage(),
              RETRY_SOON);
      case SessionFailure.Stopping f ->
          status(Code.UNAVAILABLE, ErrorReason.ERROR_REASON_SERVER_STOPPING, f.getMessage());
    };
  }

  private static StatusRuntimeException of(BufferFailure failure) {
    return switch (failure) {
      case BufferFailure.NoSpace f ->
          status(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_NO_BUFFER_SPACE,
              f.getMessage(),
              f.hopeless() ? null : RETRY_SOON);
      case BufferFailure.NoOneWaySpace f ->
          status(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_NO_ONE_WAY_SPACE,
              f.getMessage(),
              f.hopeless() ? null : RETRY_SOON);
      case BufferFailure.TooMany f ->
          status(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_TOO_MANY_BUFFERS,
              f.getMessage(),
              RETRY_SOON);
      case BufferFailure.NotABuffer f ->
          status(Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_NOT_A_BUFFER, f.getMessage());
      case BufferFailure.Busy f ->
          status(Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_BUFFER_BUSY, f.getMessage());
    };
  }

  private static StatusRuntimeException of(TransactionFailure failure) {
    String message = failure.getMessage();
    return switch (failure) {
      case TransactionFailure.TargetDied _ ->
          status(Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TARGET_DIED, message);
      case TransactionFailure.NotPermitted _ ->
          status(Code.PERMISSION_DENIED, ErrorReason.ERROR_REASON_NOT_PERMITTED, message);
      case TransactionFailure.Over _ ->
          status(Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TRANSACTION_OVER, message);
      case TransactionFailure.TimedOut _ ->
          status(Code.DEADLINE_EXCEEDED, ErrorReason.ERROR_REASON_TRANSACTION_TIMED_OUT, message);
      case TransactionFailure.Cancelled _ ->
          status(Code.CANCELLED, ErrorReason.ERROR_REASON_TRANSACTION_CANCELLED, message);
      case TransactionFailure.RefusedByReceiver _ ->
          status(Code.ABORTED, ErrorReason.ERROR_REASON_REFUSED_BY_RECEIVER, message);
      case TransactionFailure.TooMany _ ->
          status(
              Code.RESOURCE_EXHAUSTED,
              ErrorReason.ERROR_REASON_TOO_MANY_TRANSACTIONS,
              message,
              RETRY_SOON);
      case TransactionFailure.Invalid _ ->
          status(Code.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_FLAGS_INVALID, message);
      case TransactionFailure.WrongMode _ ->
          status(Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_WRONG_MODE, message);
      case TransactionFailure.AlreadyAttached _ ->
          status(Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_ALREADY_ATTACHED, message);
      case TransactionFailure.Stopping _ ->
          status(Code.UNAVAILABLE, ErrorReason.ERROR_REASON_SERVER_STOPPING, message);
    };
  }

  /** The same as an event of an Exchange, which goes on. */
  static Failed failed(Throwable thrown) {
    com.google.rpc.Status status = StatusProto.fromThrowable(of(thrown));
    Failed.Builder failed = Failed.newBuilder();
    if (status == null) {
      return failed.setReason(ErrorReason.ERROR_REASON_INTERNAL_BUG).build();
    }
    failed.setCode(status.getCode()).setMessage(status.getMessage());
    try {
      for (Any detail : status.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          String reason = detail.unpack(ErrorInfo.class).getReason();
          failed.setReason(ErrorReason.valueOf(REASON_PREFIX + reason));
        } else if (detail.is(RetryInfo.class)) {
          Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
          failed.setRetryDelayMs(
              Math.toIntExact(delay.getSeconds() * 1_000 + delay.getNanos() / 1_000_000));
        }
      }
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError("a detail that this class has packed", e);
    }
    return failed.build();
  }

  private static StatusRuntimeException bug(Throwable thrown) {
    String id = Long.toHexString(ThreadLocalRandom.current().nextLong());
    FAULTS.increment();
    LOG.error("internal error id={}", id, thrown);
    return status(
        Code.INTERNAL,
        ErrorReason.ERROR_REASON_INTERNAL_BUG,
        "a fault of the server; its log tells more under id=" + id);
  }

  /** A refusal for which trying again does not help. */
  static StatusRuntimeException status(Code code, ErrorReason reason, @Nullable String message) {
    return status(code, reason, message, null);
  }

  /** A refusal. With a {@code retryDelay}, trying again after that time may help. */
  static StatusRuntimeException status(
      Code code, ErrorReason reason, @Nullable String message, @Nullable Duration retryDelay) {
    com.google.rpc.Status.Builder status =
        com.google.rpc.Status.newBuilder()
            .setCode(code.getNumber())
            .setMessage(message == null ? "" : message)
            .addDetails(
                Any.pack(
                    ErrorInfo.newBuilder()
                        .setDomain(DOMAIN)
                        .setReason(reason.name().substring(REASON_PREFIX.length()))
                        .build()));
    if (retryDelay != null) {
      status.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(retryDelay).build()));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }

  /** A refusal because a request has not come in time. */
  static StatusRuntimeException requestTooLate(String message) {
    return status(
        Code.DEADLINE_EXCEEDED, ErrorReason.ERROR_REASON_REQUEST_TOO_LATE, message, RETRY_SOON);
  }

  /** A refusal because of too many requests or bytes in flight. Trying again soon may help. */
  static StatusRuntimeException tooManyRequests(String message) {
    return status(
        Code.RESOURCE_EXHAUSTED, ErrorReason.ERROR_REASON_TOO_MANY_REQUESTS, message, RETRY_SOON);
  }
}
