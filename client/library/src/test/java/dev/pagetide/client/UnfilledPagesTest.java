package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.UseRangeResponse;
import io.grpc.Status;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Which scopes are told that a page is fresh, with a server that answers as it is told to. */
final class UnfilledPagesTest {

  private static final PageInterval PAGES = new PageInterval(2, 4);

  private final FakeServer server = new FakeServer();

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

  private static UseRangeResponse freshPages() {
    return UseRangeResponse.newBuilder()
        .addFresh(PageSpan.newBuilder().setStartPage(PAGES.startPage()).setEndPage(PAGES.endPage()))
        .build();
  }

  private FreshPages told(int startPage, int endPage) {
    try (UsedPages pages = range.use(startPage, endPage)) {
      return pages.fresh();
    }
  }

  @Test
  void use_refillThrew_tellsTheNextScopesUntilOneHasFilled() {
    server.uses.add(request -> freshPages());

    assertThatThrownBy(
            () -> {
              try (UsedPages pages = range.use(0, 8)) {
                assertThat(pages.fresh().intervals()).containsExactly(PAGES);
                throw new IllegalStateException("the refill failed");
              }
            })
        .hasMessage("the refill failed");

    assertThat(told(3, 8).intervals()).containsExactly(new PageInterval(3, 4));
    assertThat(told(4, 8).isEmpty()).isTrue();
    try (UsedPages again = range.use(0, 8)) {
      assertThat(again.fresh().intervals()).containsExactly(PAGES);
      again.filled();
      assertThat(again.fresh().intervals()).containsExactly(PAGES);
    }
    assertThat(told(0, 8).isEmpty()).isTrue();
  }

  @Test
  void use_otherScopeIsOpenAndHasNotFilled_isToldToo() throws Exception {
    server.uses.add(request -> freshPages());
    try (ExecutorService other = Executors.newSingleThreadExecutor();
        UsedPages first = range.use(0, 8)) {
      assertThat(first.fresh().intervals()).containsExactly(PAGES);

      assertThat(other.submit(() -> told(0, 8)).get().intervals()).containsExactly(PAGES);

      first.filled();
      assertThat(other.submit(() -> told(0, 8)).get().isEmpty()).isTrue();
    }
  }

  @Test
  void filled_scopeOfSomePages_leavesTheOthersFresh() {
    server.uses.add(request -> freshPages());
    told(0, 8);

    try (UsedPages part = range.use(0, 3)) {
      part.filled();
    }

    assertThat(told(0, 8).intervals()).containsExactly(new PageInterval(3, 4));
  }

  @Test
  void filled_scopeClosed_isRefusedAndChangesNothing() {
    server.uses.add(request -> freshPages());
    UsedPages pages = range.use(0, 8);
    pages.close();

    assertThatThrownBy(pages::filled)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is closed");
    assertThat(told(0, 8).intervals()).containsExactly(PAGES);
  }

  @Test
  void useRange_plainPair_isToldOnceAndTellsNoScope() {
    server.uses.add(request -> freshPages());
    server.uses.add(request -> UseRangeResponse.getDefaultInstance());
    server.uses.add(request -> UseRangeResponse.getDefaultInstance());
    server.uses.add(request -> freshPages());

    assertThat(range.useRange(0, 8).intervals()).containsExactly(PAGES);
    assertThat(range.useRange(0, 8).isEmpty()).isTrue();
    assertThat(told(0, 8).isEmpty()).isTrue();
    assertThat(told(0, 8).intervals()).containsExactly(PAGES);
    assertThat(range.useRange(0, 8).isEmpty()).isTrue();
    assertThat(told(0, 8).intervals()).containsExactly(PAGES);
  }

  /** Would show a second thread that is answered "not fresh" before the first has its answer. */
  @Test
  void use_othersAnswerIsUnderWay_waitsForItAndIsTold() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answer = new CountDownLatch(1);
    server.uses.add(request -> {
      asked.countDown();
      awaitQuietly(answer);
      return freshPages();
    });
    FutureTask<FreshPages> first = new FutureTask<>(() -> told(0, 8));
    FutureTask<FreshPages> second = new FutureTask<>(() -> told(0, 8));
    Thread.ofPlatform().start(first);
    asked.await();
    Thread waiting = Thread.ofPlatform().start(second);
    await().until(() -> waiting.getState() == Thread.State.TIMED_WAITING || second.isDone());

    assertThat(second.isDone()).isFalse();
    assertThat(told(8, 16).isEmpty()).isTrue(); // other pages wait for nobody
    answer.countDown();

    assertThat(first.get().intervals()).containsExactly(PAGES);
    assertThat(second.get().intervals()).containsExactly(PAGES);
  }

  @Test
  void use_interruptedWhileOthersAnswerIsUnderWay_takesThePagesAsFresh() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answer = new CountDownLatch(1);
    server.uses.add(request -> {
      asked.countDown();
      awaitQuietly(answer);
      return UseRangeResponse.getDefaultInstance();
    });
    FutureTask<FreshPages> first = new FutureTask<>(() -> told(0, 2));
    Thread.ofPlatform().start(first);
    asked.await();
    FutureTask<FreshPages> second =
        new FutureTask<>(() -> {
          try (UsedPages pages = range.use(0, 8)) {
            assertThat(Thread.interrupted()).isTrue();
            return pages.fresh();
          }
        });
    Thread waiting = Thread.ofPlatform().start(second);
    await().until(() -> waiting.getState() == Thread.State.TIMED_WAITING || second.isDone());

    waiting.interrupt();

    assertThat(second.get().intervals()).containsExactly(new PageInterval(0, 2));
    answer.countDown();
    assertThat(first.get().isEmpty()).isTrue();
    assertThat(told(0, 8).isEmpty()).isTrue();
  }

  @Test
  void use_answerWasLost_tellsEveryScopeUntilOneHasFilled() {
    server.uses.add(request -> {
      throw Status.UNAVAILABLE.withDescription("connection reset").asRuntimeException();
    });
    assertThatThrownBy(() -> range.use(2, 4)).isInstanceOf(PagetideException.class);

    assertThat(told(0, 8).intervals()).containsExactly(PAGES);
    assertThat(told(0, 8).intervals()).containsExactly(PAGES);
    try (UsedPages pages = range.use(0, 8)) {
      pages.filled();
    }
    assertThat(told(0, 8).isEmpty()).isTrue();
  }

  @Test
  void use_refused_tellsNobody() {
    server.uses.add(request -> {
      throw FakeServer.refusal(Status.Code.RESOURCE_EXHAUSTED, "NO_MEMORY", "no memory");
    });
    assertThatThrownBy(() -> range.use(2, 4)).isInstanceOf(PagetideException.class);

    assertThat(told(0, 8).isEmpty()).isTrue();
  }

  @Test
  void use_plainUseLostItsAnswer_isKeptForLaterScopesOnceAScopeWasTold() {
    server.uses.add(request -> {
      throw Status.UNAVAILABLE.withDescription("connection reset").asRuntimeException();
    });
    Future<FreshPages> lost = range.useRangeAsync(List.of(PAGES));
    assertThatThrownBy(lost::get).hasCauseInstanceOf(PagetideException.class);

    assertThat(told(0, 8).intervals()).containsExactly(PAGES);
    assertThat(told(0, 8).intervals()).containsExactly(PAGES);
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
