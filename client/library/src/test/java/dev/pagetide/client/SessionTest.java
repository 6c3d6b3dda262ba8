package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.InstanceOfAssertFactories.type;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.UseRangeResponse;
import dev.pagetide.v1.WaitMode;
import io.grpc.Context;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** How sessions begin and end, and what calls on them do afterwards. */
final class SessionTest {

  @AutoClose private final FakeServer server = new FakeServer();
  @AutoClose private final PagetideClient client = server.client();

  @AfterEach
  void close() {
    client.close();
    server.close();
  }

  private static SessionEnd end(PageRange range) {
    CompletableFuture<SessionEnd> ended = range.ended().toCompletableFuture();
    await().until(ended::isDone);
    return ended.join();
  }

  @Test
  void open_granted_hasTheShapeTheServerGave() {
    PageRange range = client.open(new OpenOptions("name", 1024));

    assertThat(range.pageSize()).isEqualTo(FakeServer.PAGE_SIZE);
    assertThat(range.pageCount()).isEqualTo(FakeServer.PAGE_COUNT);
    assertThat(range.maxDataBytes()).isEqualTo(FakeServer.MAX_DATA_BYTES);
    assertThat(range.rangeId()).isEqualTo(7);
    assertThat(range.serverInstance()).isEqualTo(99);
    assertThat(range.token()).isEqualTo("secret");
    assertThat(range.ticket().toString()).doesNotContain("secret");
  }

  @Test
  void open_underACallersDeadline_hasNone() {
    ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    try {
      Context caller = Context.current().withDeadlineAfter(1, TimeUnit.HOURS, timer);
      caller.run(() -> client.open(OpenOptions.ofSize(1024)));

      assertThat(server.openHadDeadline).isFalse();
    } finally {
      timer.shutdownNow();
    }
  }

  @Test
  void open_noAnswer_failsInTimeAndGivesTheSessionUp() {
    server.answerOpen = false;
    try (PagetideClient impatient =
        server.client(ClientOptions.DEFAULT.withCallTimeout(Duration.ofMillis(50)))) {
      PagetideException failure =
          catchThrowableOfType(
              PagetideException.class, () -> impatient.open(OpenOptions.ofSize(1024)));

      assertThat(failure.code()).isEqualTo(StatusCode.DEADLINE_EXCEEDED);
      await().until(server.sessionCancelled::isDone);
    }
  }

  @Test
  void open_answerThatMakesNoSense_failsAndGivesTheSessionUp() {
    server.opened = server.opened.toBuilder().setPageSize(0).build();

    assertThatThrownBy(() -> client.open(OpenOptions.ofSize(1024)))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("page_size=0");

    await().until(server.sessionCancelled::isDone);
  }

  @Test
  void close_endsTheSessionOnce() {
    PageRange range = client.open(OpenOptions.ofSize(1024));

    range.close();
    range.close();

    await().until(server.sessionCancelled::isDone);
    assertThat(end(range).cause()).isEqualTo(SessionEnd.Cause.CLOSED);
    assertThatThrownBy(() -> range.useRange(0, 1))
        .asInstanceOf(type(PagetideException.class))
        .satisfies(failure -> {
          assertThat(failure.code()).isEqualTo(StatusCode.ABORTED);
          assertThat(failure.reason()).contains(ErrorReason.SESSION_ENDED);
        });
  }

  @Test
  void closeClient_closesItsRanges() {
    PageRange range = client.open(OpenOptions.ofSize(1024));

    client.close();

    assertThat(end(range).cause()).isEqualTo(SessionEnd.Cause.CLOSED);
    await().until(server.sessionCancelled::isDone);
  }

  @Test
  void closeAttached_leavesTheSessionAlone() {
    PageRange owner = client.open(OpenOptions.ofSize(1024));
    PageRange attached = client.attach(owner.ticket());
    assertThat(attached.read(0, 4)).hasSize(4);

    attached.close();

    assertThatThrownBy(() -> attached.read(0, 4)).isInstanceOf(PagetideException.class);
    assertThat(end(attached).cause()).isEqualTo(SessionEnd.Cause.CLOSED);
    assertThat(owner.read(0, 4)).hasSize(4);
    assertThat(server.sessionCancelled).isNotDone();
  }

  @Test
  void serverDies_isToldAtOnceAndCallsInFlightFail() {
    PageRange range = client.open(OpenOptions.ofSize(1024));
    server.uses.add(request -> null);
    CompletableFuture<FreshPages> inFlight = range.useRangeAsync(List.of(new PageInterval(0, 1)));

    server.die();

    assertThat(end(range).cause()).isEqualTo(SessionEnd.Cause.SERVER_LOST);
    assertThatThrownBy(inFlight::get)
        .isInstanceOf(ExecutionException.class)
        .cause()
        .asInstanceOf(type(PagetideException.class))
        .satisfies(failure -> {
          assertThat(failure.code()).isEqualTo(StatusCode.UNAVAILABLE);
          assertThat(failure.outcomeUnknown()).isTrue();
        });
    PagetideException later = catchThrowableOfType(PagetideException.class, () -> range.read(0, 1));
    assertThat(later.code()).isEqualTo(StatusCode.UNAVAILABLE);
    assertThat(later.outcomeUnknown()).isFalse();
  }

  @Test
  void serverDrains_noticeComesFirstAndTheEndIsAStop() {
    PageRange range = client.open(OpenOptions.ofSize(1024));

    server.drain(5000);

    CompletableFuture<DrainNotice> notice = range.draining().toCompletableFuture();
    await().until(notice::isDone);
    assertThat(notice.join().grace()).isEqualTo(Duration.ofSeconds(5));
    assertThat(range.read(0, 1)).hasSize(1); // the session still lives

    server.endSession(null);

    assertThat(end(range).cause()).isEqualTo(SessionEnd.Cause.SERVER_STOPPED);
    assertThat(catchThrowableOfType(PagetideException.class, () -> range.read(0, 1)).code())
        .isEqualTo(StatusCode.UNAVAILABLE);
  }

  @Test
  void serverStopsWithItsReason_isAStopToo() {
    PageRange range = client.open(OpenOptions.ofSize(1024));

    server.endSession(FakeServer.refusal(Status.Code.UNAVAILABLE, "SERVER_STOPPING", "stopping"));

    assertThat(end(range).cause()).isEqualTo(SessionEnd.Cause.SERVER_STOPPED);
  }

  @Test
  void serverEndsOneSession_saysWhy() {
    PageRange range = client.open(OpenOptions.ofSize(1024));

    server.endSession(FakeServer.refusal(Status.Code.ABORTED, "TABLE_CORRUPT", "word 3 is 3"));

    assertThat(end(range).cause()).isEqualTo(SessionEnd.Cause.ENDED_BY_SERVER);
    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.read(0, 1));
    assertThat(failure.reason()).contains(ErrorReason.TABLE_CORRUPT);
    assertThat(failure).hasMessageContaining("word 3 is 3");
  }

  @Test
  void blockingCall_whereAnswersAreDelivered_isRefusedAtOnce() {
    PageRange range = client.open(OpenOptions.ofSize(1024));
    CompletableFuture<byte[]> nested = new CompletableFuture<>();

    server.uses.add(request -> null);
    CompletableFuture<FreshPages> use = range.useRangeAsync(List.of(new PageInterval(0, 1)));
    var _ =
        use.whenComplete((_, _) -> {
          try {
            nested.complete(range.read(0, 1));
          } catch (IllegalStateException e) {
            nested.completeExceptionally(e);
          }
        });
    server.die();

    assertThatThrownBy(nested::get).hasRootCauseInstanceOf(IllegalStateException.class);
    assertThat(server.reads).isEmpty();
  }

  @Test
  void interrupted_failsWithUnknownOutcomeAndKeepsTheFlag() {
    PageRange range = client.open(OpenOptions.ofSize(1024));
    server.uses.add(request -> null);
    Thread.currentThread().interrupt();

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.useRange(0, 1));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(failure.code()).isEqualTo(StatusCode.CANCELLED);
    assertThat(failure.outcomeUnknown()).isTrue();
    assertThat(range.useRange(0, 1).pageCount()).isEqualTo(1);
  }

  @Test
  void use_memoryMayBeWaitedForOrNot_serverIsTold() {
    List<WaitMode> asked = new ArrayList<>();
    for (boolean waits : new boolean[] {true, false}) {
      server.uses.add(request -> {
        asked.add(request.getWait());
        return UseRangeResponse.getDefaultInstance();
      });
      try (PagetideClient client = server.client(ClientOptions.DEFAULT.withWaitsForMemory(waits));
          PageRange range = client.open(OpenOptions.ofSize(1024))) {
        range.useRange(0, 1);
      }
    }

    assertThat(asked).containsExactly(WaitMode.WAIT_MODE_UNTIL_DEADLINE, WaitMode.WAIT_MODE_NEVER);
  }
}
