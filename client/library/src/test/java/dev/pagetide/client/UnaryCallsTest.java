package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.UseRangeRequest;
import io.grpc.ManagedChannel;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What an answer comes to that cannot be turned into a value. */
final class UnaryCallsTest {

  @AutoClose private final FakeExchange server = new FakeExchange();
  private final ManagedChannel channel = server.channel();

  @AfterEach
  void close() {
    channel.shutdownNow();
  }

  static Stream<Throwable> failures() {
    return Stream.of(
        new IllegalArgumentException("no such page"),
        new StackOverflowError("too deep"),
        PagetideException.local(StatusCode.INTERNAL, "a negative number"));
  }

  @ParameterizedTest
  @MethodSource("failures")
  void call_converterThrows_failsWithAnUnknownOutcome(Throwable thrown) {
    UnaryCalls calls = new UnaryCalls(channel, ClientOptions.DEFAULT);

    CompletableFuture<Object> future =
        calls.call(
            PageRangeServiceGrpc.getUseRangeMethod(),
            UseRangeRequest.getDefaultInstance(),
            calls.deadline(),
            answer -> fail(thrown));

    assertThat(future)
        .failsWithin(Duration.ofSeconds(20))
        .withThrowableOfType(ExecutionException.class)
        .havingCause()
        .isInstanceOfSatisfying(
            PagetideException.class,
            failure -> {
              assertThat(failure.code()).isEqualTo(StatusCode.INTERNAL);
              assertThat(failure.outcomeUnknown()).isTrue();
            })
        .withMessageContaining(String.valueOf(thrown.getMessage()));
  }

  private static Object fail(Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    throw (RuntimeException) thrown;
  }
}
