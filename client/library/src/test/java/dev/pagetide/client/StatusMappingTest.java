package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What becomes of a server's status and its details. */
final class StatusMappingTest {

  @Test
  void exception_pagetideReason_carriesReasonMessageAndAdvice() {
    PagetideException failure =
        StatusMapping.exception(
            "UseRange",
            FakeServer.refusal(
                Status.Code.RESOURCE_EXHAUSTED,
                "NO_MEMORY",
                "no memory for 16 pages",
                Duration.ofMillis(1500)));

    assertThat(failure.code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED);
    assertThat(failure.reason()).contains(ErrorReason.NO_MEMORY);
    assertThat(failure).hasMessage("no memory for 16 pages");
    assertThat(failure.retryDelay()).contains(Duration.ofMillis(1500));
    assertThat(failure.outcomeUnknown()).isFalse();
  }

  @Test
  void exception_refusalThatWasWaitedFor_saysItsSentenceOnce() {
    CompletableFuture<Object> refused =
        CompletableFuture.failedFuture(
            StatusMapping.exception(
                "UseRange",
                FakeServer.refusal(Status.Code.NOT_FOUND, "UNKNOWN_SESSION", "no such session")));

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> Blocking.await(() -> refused));
    StringWriter printed = new StringWriter();
    failure.printStackTrace(new PrintWriter(printed));

    assertThat(printed.toString()).containsOnlyOnce("no such session").doesNotContain("io.grpc");
    assertThat(failure.code()).isEqualTo(StatusCode.NOT_FOUND);
    assertThat(failure.reason()).contains(ErrorReason.UNKNOWN_SESSION);
    assertThat(failure.getStackTrace()[0].getClassName()).startsWith("dev.pagetide.client");
  }

  @Test
  void exception_lostConnection_keepsItsCause() {
    PagetideException failure =
        StatusMapping.exception(
            "Write", Status.UNAVAILABLE.withCause(new IOException("reset")), new Metadata());

    assertThat(failure.rethrown()).hasRootCauseMessage("reset");
  }

  @Test
  void exception_reasonOfANewerServer_isAnAnswerAllTheSame() {
    PagetideException failure =
        StatusMapping.exception(
            "UseRange", FakeServer.refusal(Status.Code.FAILED_PRECONDITION, "NOT_YET_KNOWN", "no"));

    assertThat(failure.reason()).contains(ErrorReason.UNRECOGNIZED);
    assertThat(failure.outcomeUnknown()).isFalse();
  }

  @Test
  void exception_noDetails_leavesTheOutcomeOpen() {
    PagetideException failure =
        StatusMapping.exception(
            "Write", Status.UNAVAILABLE.withDescription("io exception"), new Metadata());

    assertThat(failure.reason()).isEmpty();
    assertThat(failure.retryDelay()).isEmpty();
    assertThat(failure.outcomeUnknown()).isTrue();
    assertThat(failure).hasMessageContaining("Write: the server cannot be reached");
  }

  @Test
  void exception_unimplemented_wasSurelyNotDone() {
    PagetideException failure =
        StatusMapping.exception("Scan", Status.UNIMPLEMENTED, new Metadata());

    assertThat(failure.outcomeUnknown()).isFalse();
  }

  @Test
  void exception_notAStatus_isUnknown() {
    PagetideException failure = StatusMapping.exception("Scan", new IOException("broken"));

    assertThat(failure.code()).isEqualTo(StatusCode.UNKNOWN);
    assertThat(failure.outcomeUnknown()).isTrue();
  }
}
