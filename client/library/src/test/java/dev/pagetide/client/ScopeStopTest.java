package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** The end of a scope whose stop the server has not answered yet, and scopes that come then. */
final class ScopeStopTest {

  @AutoClose private final FakeServer server = new FakeServer();
  @AutoClose private final PagetideClient client = server.client();
  private final PageRange range = client.open(OpenOptions.ofSize(1024));

  /** Closes a scope of pages 0 and 1 where answers are delivered: its stop goes on. */
  private void closeWithoutWaiting() {
    server.answersStops = false;
    UsedPages pages = range.use(0, 2);
    Blocking.deliver(pages::close);
    server.answersStops = true;
  }

  @Test
  void use_whereAnswersAreDelivered_isRefusedAndDoesNotWaitForTheStop() {
    closeWithoutWaiting();

    Blocking.deliver(() ->
        assertThatThrownBy(() -> range.use(0, 1))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("where answers are delivered"));

    assertThat(server.answerStops()).isEqualTo(1);
    range.use(0, 1).close();
  }

  @Test
  void use_pageIsBeingStopped_waitsForTheStop() {
    closeWithoutWaiting();
    CompletableFuture<UsedPages> used = new CompletableFuture<>();
    Thread user = Thread.ofPlatform().daemon().start(() -> used.complete(range.use(0, 1)));
    await().until(() -> user.getState() == Thread.State.TIMED_WAITING);

    assertThat(server.answerStops()).isEqualTo(1);

    await().until(used::isDone);
    used.join().close();
  }

  @Test
  void use_interruptedWhileThePageIsBeingStopped_isCancelledAndTheScopeNotBegun() {
    closeWithoutWaiting();
    AtomicBoolean flag = new AtomicBoolean();
    CompletableFuture<Throwable> thrown = new CompletableFuture<>();
    Thread user =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              Throwable failure = catchThrowable(() -> range.use(0, 1));
              flag.set(Thread.interrupted());
              thrown.complete(failure);
            });
    await().until(() -> user.getState() == Thread.State.TIMED_WAITING);

    user.interrupt();

    await().until(thrown::isDone);
    assertThat(thrown.join())
        .isInstanceOfSatisfying(
            PagetideException.class,
            failure -> assertThat(failure.code()).isEqualTo(StatusCode.CANCELLED));
    assertThat(flag).isTrue();
    assertThat(server.answerStops()).isEqualTo(1);
    server.answersStops = false;
    UsedPages next = range.use(0, 1);
    Blocking.deliver(next::close);
    assertThat(server.answerStops()).isEqualTo(1); // it was the only user
  }
}
