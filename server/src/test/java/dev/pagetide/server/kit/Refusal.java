package dev.pagetide.server.kit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/**
 * What a client learns when a call is refused.
 *
 * @param code the status
 * @param reason of the ErrorInfo; empty without one
 * @param message what is said to people
 * @param retryMayHelp whether there is a RetryInfo
 */
public record Refusal(Status.Code code, String reason, String message, boolean retryMayHelp) {
  /** Makes a call that has to be refused. */
  public static Refusal of(ThrowingCallable call) {
    StatusRuntimeException thrown = catchThrowableOfType(StatusRuntimeException.class, call);
    assertThat(thrown).as("the call was not refused").isNotNull();
    return of(thrown);
  }

  /** Reads what a refused call was answered with. */
  public static Refusal of(StatusRuntimeException thrown) {
    String reason = "";
    boolean retry = false;
    com.google.rpc.Status status = StatusProto.fromThrowable(thrown);
    if (status != null) {
      try {
        for (Any detail : status.getDetailsList()) {
          if (detail.is(ErrorInfo.class)) {
            ErrorInfo info = detail.unpack(ErrorInfo.class);
            assertThat(info.getDomain()).isEqualTo("pagetide");
            reason = info.getReason();
          }
          retry |= detail.is(RetryInfo.class);
        }
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }
    String message = thrown.getStatus().getDescription();
    return new Refusal(thrown.getStatus().getCode(), reason, message == null ? "" : message, retry);
  }

  /** Asserts code and reason, and that the message says all of these. */
  public void is(Status.Code expectedCode, String expectedReason, String... said) {
    assertThat(code).as(toString()).isEqualTo(expectedCode);
    assertThat(reason).as(toString()).isEqualTo(expectedReason);
    for (String words : said) {
      assertThat(message).contains(words);
    }
  }
}
