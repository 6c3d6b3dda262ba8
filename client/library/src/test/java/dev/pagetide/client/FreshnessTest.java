package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.UseRangeResponse;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a range reports as fresh, above all after a use that was never answered. */
final class FreshnessTest {

  @AutoClose private final FakeServer server = new FakeServer();

  @AutoClose
  @SuppressWarnings("NullAway.Init") // opened before each test
  private PagetideClient client;

  @SuppressWarnings("NullAway.Init") // opened before each test
  private PageRange range;

  @BeforeEach
  void open() {
    client = server.client(ClientOptions.DEFAULT);
    range = client.open(OpenOptions.ofSize(1024));
  }

  @AfterEach
  void close() {
    client.close();
    server.close();
  }

  private static List<PageInterval> pages(int start, int end) {
    return List.of(new PageInterval(start, end));
  }

  private void useThatFails(int start, int end) {
    assertThatThrownBy(() -> range.useRange(start, end)).isInstanceOf(PagetideException.class);
  }

  /** The next use is answered by a broken connection. */
  private void loseAnAnswer() {
    server.uses.add(request -> {
      throw Status.UNAVAILABLE.withDescription("connection reset").asRuntimeException();
    });
  }

  @Test
  void use_serverNamesFreshPages_reportsExactlyThose() {
    server.uses.add(request ->
        UseRangeResponse.newBuilder()
            .addFresh(PageSpan.newBuilder().setStartPage(1).setEndPage(3))
            .build());

    FreshPages fresh = range.useRange(0, 8);

    assertThat(fresh.intervals()).containsExactly(new PageInterval(1, 3));
  }

  @Test
  void use_deadlinePassed_nextUseReportsItsPagesOnce() {
    server.uses.add(request -> null);
    try (PagetideClient impatient =
            server.client(ClientOptions.DEFAULT.withCallTimeout(Duration.ofSeconds(2)));
        PageRange other = impatient.open(OpenOptions.ofSize(1024))) {

      PagetideException failure =
          catchThrowableOfType(PagetideException.class, () -> other.useRange(2, 6));

      assertThat(failure.code()).isEqualTo(StatusCode.DEADLINE_EXCEEDED);
      assertThat(failure.outcomeUnknown()).isTrue();
      assertThat(other.useRange(0, 2).isEmpty()).isTrue();
      assertThat(other.useRange(0, 4).intervals()).containsExactly(new PageInterval(2, 4));
      assertThat(other.useRange(0, 8).intervals()).containsExactly(new PageInterval(4, 6));
      assertThat(other.useRange(0, 8).isEmpty()).isTrue();
    }
  }

  @Test
  void use_cancelled_nextUseReportsItsPages() {
    server.uses.add(request -> null);
    CompletableFuture<FreshPages> use = range.useRangeAsync(pages(5, 7));

    assertThat(use.cancel(true)).isTrue();

    assertThat(range.useRange(0, 64).intervals()).containsExactly(new PageInterval(5, 7));
    assertThat(range.useRange(0, 64).isEmpty()).isTrue();
  }

  /** A stage that is attached later runs first, so this one sees the earliest moment of the end. */
  @Test
  void use_cancelled_itsPagesAreRememberedBeforeAnybodyCanSeeItsEnd() {
    server.uses.add(request -> null);
    CompletableFuture<FreshPages> use = range.useRangeAsync(pages(5, 7));
    CompletableFuture<FreshPages> next = new CompletableFuture<>();
    var _ =
        use.whenComplete((_, _) -> {
          var _ = range.useRangeAsync(pages(0, 64)).thenAccept(next::complete);
        });

    use.cancel(true);

    assertThat(next)
        .succeedsWithin(Duration.ofSeconds(20))
        .extracting(FreshPages::intervals)
        .isEqualTo(pages(5, 7));
  }

  @Test
  void use_completedFromOutside_isGivenUpToo() {
    server.uses.add(request -> null);
    CompletableFuture<FreshPages> use = range.useRangeAsync(pages(5, 7));

    assertThat(use.completeExceptionally(new IllegalStateException("too late"))).isTrue();

    assertThat(use).isCompletedExceptionally();
    assertThat(range.useRange(0, 64).intervals()).isEqualTo(pages(5, 7));
  }

  /** The answer is decided, so what was doubtful is forgotten: it must not be lost any more. */
  @Test
  void use_cancelledInAStageOfItsAnswer_isAnsweredAllTheSame() {
    server.uses.add(request ->
        UseRangeResponse.newBuilder()
            .addFresh(PageSpan.newBuilder().setStartPage(1).setEndPage(3))
            .build());

    CompletableFuture<FreshPages> use = range.useRangeAsync(pages(0, 8));

    assertThat(use.cancel(true)).isFalse();
    assertThat(use.join().intervals()).isEqualTo(pages(1, 3));
    assertThat(range.useRange(0, 8).isEmpty()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 4})
  void use_answerCannotBeUnderstood_failsAndNextUseReportsItsPages(int startPage) {
    server.uses.add(request ->
        UseRangeResponse.newBuilder()
            .addFresh(PageSpan.newBuilder().setStartPage(startPage).setEndPage(3))
            .build());

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.useRange(5, 7));

    assertThat(failure.code()).isEqualTo(StatusCode.INTERNAL);
    assertThat(failure.outcomeUnknown()).isTrue();
    assertThat(range.useRange(0, 64).intervals()).isEqualTo(pages(5, 7));
  }

  @Test
  void use_brokenConnection_nextUseReportsItsPages() {
    loseAnAnswer();

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.useRange(5, 7));

    assertThat(failure.outcomeUnknown()).isTrue();
    assertThat(range.useRange(6, 7).intervals()).containsExactly(new PageInterval(6, 7));
  }

  @Test
  void use_unknownAndThenRefused_staysDoubtful() {
    loseAnAnswer();
    server.uses.add(request -> {
      throw FakeServer.refusal(Status.Code.RESOURCE_EXHAUSTED, "NO_MEMORY", "no memory");
    });
    useThatFails(5, 7);
    useThatFails(5, 7);

    assertThat(range.useRange(5, 7).intervals()).containsExactly(new PageInterval(5, 7));
  }

  @Test
  void use_refused_isNotDoubtful() {
    server.uses.add(request -> {
      throw FakeServer.refusal(Status.Code.RESOURCE_EXHAUSTED, "NO_MEMORY", "no memory");
    });

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.useRange(5, 7));

    assertThat(failure.outcomeUnknown()).isFalse();
    assertThat(range.useRange(5, 7).isEmpty()).isTrue();
  }

  @Test
  void use_serverFault_isDoubtful() {
    server.uses.add(request -> {
      throw FakeServer.refusal(Status.Code.INTERNAL, "INTERNAL_BUG", "fault 17");
    });

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.useRange(5, 7));

    assertThat(failure.outcomeUnknown()).isTrue();
    assertThat(range.useRange(5, 7).pageCount()).isEqualTo(2);
  }

  @Test
  void use_doubtfulPagesBesideFreshOnes_areOneInterval() {
    loseAnAnswer();
    useThatFails(2, 4);
    server.uses.add(request ->
        UseRangeResponse.newBuilder()
            .addFresh(PageSpan.newBuilder().setStartPage(4).setEndPage(6))
            .build());

    FreshPages fresh = range.useRange(0, 8);

    assertThat(fresh.intervals()).containsExactly(new PageInterval(2, 6));
    assertThat(fresh.contains(1)).isFalse();
    assertThat(fresh.contains(2)).isTrue();
    assertThat(fresh.contains(5)).isTrue();
    assertThat(fresh.contains(6)).isFalse();
  }

  @Test
  void use_unknownPastTheEnd_doesNotRememberPagesThatAreNotThere() {
    loseAnAnswer();
    useThatFails(60, Integer.MAX_VALUE);

    assertThat(range.useRange(0, 64).intervals()).containsExactly(new PageInterval(60, 64));
  }
}
