package dev.pagetide.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.RangeMode;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Openings that are refused, and what is granted instead. */
@Promise({1, 8, 32})
@WithServer
final class BadOpeningsTest {
  @SuppressWarnings("NullAway.Init")
  private static TestServer server;

  @SuppressWarnings("NullAway.Init")
  private static ManagedChannel channel;

  @BeforeAll
  static void startServer(TestServer started) {
    server = started;
    channel = server.connect();
  }

  @AfterEach
  void nothingIsLeft() {
    Awaitility.await().until(() -> server.metric("pagetide_sessions") == 0);
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(0);
  }

  @Test
  void openRange_sizeZero_isRefused() {
    Refusal refusal = refusedOpening("", 0);

    refusal.is(
        Code.INVALID_ARGUMENT,
        "SIZE_INVALID",
        "size_bytes=0 is less than one page; ask for at least 4096 bytes");
    assertThat(refusal.retryMayHelp()).isFalse();
  }

  @Test
  void openRange_sizeUnderAPage_isRefused() {
    refusedOpening("", 4095)
        .is(Code.INVALID_ARGUMENT, "SIZE_INVALID", "size_bytes=4095", "at least 4096 bytes");
  }

  @Test
  void openRange_restOfAPage_isDropped() {
    RawSession session = RawSession.open(channel, "", 3 * RawSession.PAGE - 1);

    assertThat(session.opened().getPageCount()).isEqualTo(2);
    assertThat(session.opened().getPageSize()).isEqualTo(RawSession.PAGE);
    assertThat(session.map()).isEqualTo("..");
    session.cancel();
  }

  @Test
  void openRange_sizeOverTheLimit_grantsLessAndSaysSo() {
    RawSession session = RawSession.open(channel, "", 4 * 1024 * 1024 + RawSession.PAGE);
    RawSession huge = RawSession.open(channel, "", -1);

    assertThat(session.opened().getPageCount()).isEqualTo(1024);
    assertThat(session.range().getFreePages()).isEqualTo(1024);
    assertThat(huge.opened().getPageCount()).isEqualTo(1024);
    session.cancel();
    huge.cancel();
  }

  @Test
  void openRange_nameTaken_isRefusedUntilItsSessionEnds() {
    RawSession first = RawSession.open(channel, "camera", RawSession.PAGE);
    int _ = first.use(0, 1).size();

    Refusal refusal = refusedOpening("camera", RawSession.PAGE);

    refusal.is(
        Code.ALREADY_EXISTS,
        "NAME_TAKEN",
        "another live session of this uid has this name; choose another one, or none");
    assertThat(refusal.message()).doesNotContain(first.token());
    assertThat(first.map()).as("the first session").isEqualTo("U");

    first.cancel();
    Awaitility.await().until(() -> server.metric("pagetide_sessions") == 0);
    RawSession second = RawSession.open(channel, "camera", RawSession.PAGE);
    assertThat(second.map()).isEqualTo(".");
    second.cancel();
  }

  @Test
  void openRange_nameWithControlCharacter_isRefused() {
    refusedOpening("a\u001b[2Jb", RawSession.PAGE)
        .is(
            Code.INVALID_ARGUMENT,
            "NAME_INVALID",
            "name holds the control character U+001B at index 1; leave it out");
  }

  @Test
  void openRange_nameWithFormatCharacter_isRefused() {
    refusedOpening("ab\u202e", RawSession.PAGE)
        .is(Code.INVALID_ARGUMENT, "NAME_INVALID", "format character U+202E at index 2");
  }

  @Test
  void openRange_nameTooLong_isRefused() {
    refusedOpening("\u00e4".repeat(65), RawSession.PAGE)
        .is(
            Code.INVALID_ARGUMENT,
            "NAME_INVALID",
            "name is 130 bytes of UTF-8, more than 128; choose a shorter one");
  }

  @Test
  void openRange_longestName_isTaken() {
    RawSession session = RawSession.open(channel, "\u00e4".repeat(64), RawSession.PAGE);

    assertThat(server.ranges()).singleElement().matches(r -> r.getName().length() == 64);
    session.cancel();
  }

  @Test
  void openRange_unknownMode_isRefused() {
    OpenRangeRequest unknown =
        OpenRangeRequest.newBuilder().setSizeBytes(RawSession.PAGE).setModeValue(77).build();

    Refusal.of(() -> RawSession.start(channel, unknown).opened())
        .is(
            Code.INVALID_ARGUMENT,
            "MODE_INVALID",
            "ask for RANGE_MODE_PAGES or RANGE_MODE_BUFFERS");
  }

  @Test
  void openRange_buffersWithoutName_isRefused() {
    OpenRangeRequest nameless =
        OpenRangeRequest.newBuilder()
            .setSizeBytes(RawSession.PAGE)
            .setMode(RangeMode.RANGE_MODE_BUFFERS)
            .build();

    Refusal.of(() -> RawSession.start(channel, nameless).opened())
        .is(Code.INVALID_ARGUMENT, "NAME_INVALID", "RANGE_MODE_BUFFERS needs a name");
  }

  @Test
  void openRange_withDeadline_isRefused() {
    OpenRangeRequest request = OpenRangeRequest.newBuilder().setSizeBytes(RawSession.PAGE).build();

    Refusal refusal =
        Refusal.of(() ->
            PageRangeServiceGrpc.newBlockingStub(channel)
                .withDeadlineAfter(60, TimeUnit.SECONDS)
                .openRange(request)
                .next());

    refusal.is(
        Code.INVALID_ARGUMENT,
        "DEADLINE_NOT_ALLOWED",
        "the stream is the session, and the deadline would end it; leave it out");
  }

  private static Refusal refusedOpening(String name, long sizeBytes) {
    return Refusal.of(() -> RawSession.open(channel, name, sizeBytes));
  }
}
