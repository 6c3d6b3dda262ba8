package dev.pagetide.server.rpc;

import static dev.pagetide.server.kit.RawSession.PAGE;
import static dev.pagetide.server.kit.RawSession.span;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.GetRangeRequest;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.UseRangeRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Requests of a session that are refused, and change nothing. */
@Promise({6, 7, 15, 16, 32})
@WithServer
final class BadRequestsTest {
  private static final int PAGES = 8;
  private static final int MAX_DATA = 1024 * 1024;

  @SuppressWarnings("NullAway.Init")
  private static TestServer server;

  @SuppressWarnings("NullAway.Init")
  private static ManagedChannel channel;

  @SuppressWarnings("NullAway.Init")
  private RawSession session;

  @BeforeAll
  static void startServer(TestServer started) {
    server = started;
    channel = server.connect();
  }

  @BeforeEach
  void openRange() {
    session = RawSession.open(channel, PAGES);
  }

  @AfterEach
  void endSession() {
    session.cancel();
  }

  @Test
  void anyRpc_unknownSession_isRefused() {
    String madeUp = "AAAAAAAAAAAAAAAAAAAAAA";

    Refusal refusal =
        Refusal.of(
            () -> session.stub().useRange(UseRangeRequest.newBuilder().setSession(madeUp).build()));

    refusal.is(
        Code.NOT_FOUND,
        "UNKNOWN_SESSION",
        "no such session; it has ended, or its token is wrong: open a range first");
    assertThat(refusal.message()).doesNotContain(madeUp);
    Refusal.of(() -> session.stub().read(ReadRequest.getDefaultInstance()))
        .is(Code.NOT_FOUND, "UNKNOWN_SESSION");
    Refusal.of(() -> session.stub().getRange(GetRangeRequest.getDefaultInstance()))
        .is(Code.NOT_FOUND, "UNKNOWN_SESSION");
  }

  @Test
  void anyRpc_sessionEnded_isRefused() {
    int _ = session.use(0, 2).size();
    String token = session.token();
    session.cancel();
    Awaitility.await().until(() -> server.metric("pagetide_sessions") == 0);

    Refusal.of(() -> session.use(0, 1)).is(Code.NOT_FOUND, "UNKNOWN_SESSION", "open a range first");
    Refusal.of(() -> session.stop(0, 1)).is(Code.NOT_FOUND, "UNKNOWN_SESSION");
    Refusal.of(() -> session.read(0, 1)).is(Code.NOT_FOUND, "UNKNOWN_SESSION");
    Refusal.of(() -> session.write(0, bytes(1))).is(Code.NOT_FOUND, "UNKNOWN_SESSION");
    Refusal.of(() -> session.fillZero(0, 1)).is(Code.NOT_FOUND, "UNKNOWN_SESSION");
    Refusal refusal = Refusal.of(() -> session.range());
    refusal.is(Code.NOT_FOUND, "UNKNOWN_SESSION");
    assertThat(refusal.message()).doesNotContain(token);
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(0);
  }

  @Test
  void useRange_endPastTheRange_isRefusedAndChangesNothing() {
    Refusal refusal = Refusal.of(() -> session.use(span(0, 2), span(7, 9)));

    refusal.is(
        Code.OUT_OF_RANGE,
        "PAST_END",
        "pages [7, 9) exceed this range's 8 pages; ask for end_page <= 8",
        "larger range",
        "--max-range-bytes");
    assertThat(refusal.retryMayHelp()).isFalse();
    assertThat(session.map()).isEqualTo("........");
  }

  @Test
  void useRange_greatestPageNumber_isRefusedAndChangesNothing() {
    Refusal.of(() -> session.use(span(0, -1)))
        .is(Code.OUT_OF_RANGE, "PAST_END", "pages [0, 4294967295)", "end_page <= 8");
    Refusal.of(() -> session.use(span(-2, -1)))
        .is(Code.OUT_OF_RANGE, "PAST_END", "pages [4294967294, 4294967295)");
    Refusal.of(() -> session.stop(span(0, -1))).is(Code.OUT_OF_RANGE, "PAST_END");

    assertThat(session.map()).isEqualTo("........");
  }

  @Test
  void useRange_startNotBeforeEnd_succeedsAndDoesNothing() {
    assertThat(session.use(span(3, 3), span(5, 2), span(900, 900), span(-1, 100), span(-1, 0)))
        .isEmpty();

    assertThat(session.map()).isEqualTo("........");
  }

  @Test
  void stopUsingRange_startNotBeforeEnd_succeedsAndDoesNothing() {
    int _ = session.use(0, PAGES).size();

    session.stop(span(3, 3), span(5, 2), span(900, 900), span(-1, 100));

    assertThat(session.map()).isEqualTo("UUUUUUUU");
  }

  @Test
  void stopUsingRange_endPastTheRange_isRefusedAndChangesNothing() {
    int _ = session.use(0, PAGES).size();

    Refusal.of(() -> session.stop(span(0, 2), span(7, 9)))
        .is(Code.OUT_OF_RANGE, "PAST_END", "pages [7, 9) exceed this range's 8 pages");

    assertThat(session.map()).isEqualTo("UUUUUUUU");
  }

  @Test
  void getRange_endPastTheRange_isRefused() {
    GetRangeRequest request =
        GetRangeRequest.newBuilder().setSession(session.token()).setPages(span(0, 9)).build();

    Refusal.of(() -> session.stub().getRange(request))
        .is(Code.OUT_OF_RANGE, "PAST_END", "pages [0, 9) exceed this range's 8 pages");
  }

  @Test
  void useRange_tooManySpans_isRefusedAndChangesNothing() {
    List<PageSpan> spans = Collections.nCopies(5_000, span(0, 1));

    Refusal refusal = Refusal.of(() -> session.use(spans));

    refusal.is(
        Code.INVALID_ARGUMENT, "TOO_MANY_SPANS", "5000 spans in one request; send at most 4096");
    assertThat(session.map()).isEqualTo("........");
  }

  @Test
  void stopUsingRange_tooManySpans_isRefusedAndChangesNothing() {
    int _ = session.use(0, 1).size();

    Refusal.of(() -> session.stop(Collections.nCopies(5_000, span(0, 1))))
        .is(Code.INVALID_ARGUMENT, "TOO_MANY_SPANS", "5000 spans", "at most 4096");

    assertThat(session.map()).isEqualTo("U.......");
  }

  @Test
  void useRange_mostSpansThereMayBe_succeeds() {
    assertThat(session.use(Collections.nCopies(4_096, span(1, 2)))).containsExactly(span(1, 2));

    assertThat(session.map()).isEqualTo(".U......");
  }

  @Test
  void useRange_overlappingSpansInAnyOrder_usesEachPageOnce() {
    List<PageSpan> fresh = session.use(span(4, 6), span(0, 3), span(2, 5), span(0, 1));

    assertThat(fresh).containsExactly(span(0, 6));
    assertThat(session.map()).isEqualTo("UUUUUU..");

    session.stop(span(5, 6), span(1, 3), span(2, 4));
    assertThat(session.map()).isEqualTo("UaaaUa..");
  }

  @Test
  void read_offsetPlusLengthOverflows_isRefused() {
    int _ = session.use(0, PAGES).size();

    Refusal.of(() -> session.read(-1L, 2))
        .is(
            Code.OUT_OF_RANGE,
            "PAST_END",
            "bytes at offset 18446744073709551615, length 2, exceed this range's 32768 bytes",
            "ask for offset + length <= 32768",
            "--max-range-bytes");
    Refusal.of(() -> session.read(Long.MAX_VALUE, 2))
        .is(Code.OUT_OF_RANGE, "PAST_END", "offset 9223372036854775807");
    Refusal.of(() -> session.read(PAGES * PAGE - 1, 2)).is(Code.OUT_OF_RANGE, "PAST_END");
    assertThat(session.read(PAGES * PAGE - 1, 1)).isEqualTo(ByteString.copyFrom(new byte[1]));
  }

  @Test
  void write_offsetPlusLengthOverflows_isRefusedAndWritesNothing() {
    int _ = session.use(0, PAGES).size();

    Refusal.of(() -> session.write(-1L, bytes(2))).is(Code.OUT_OF_RANGE, "PAST_END");
    Refusal.of(() -> session.write(Long.MAX_VALUE, bytes(2))).is(Code.OUT_OF_RANGE, "PAST_END");
    Refusal.of(() -> session.write(PAGES * PAGE - 1, bytes(2))).is(Code.OUT_OF_RANGE, "PAST_END");
    Refusal.of(() -> session.fillZero(1, -1L)).is(Code.OUT_OF_RANGE, "PAST_END");
    Refusal.of(() -> session.fillZero(-1L, -1L)).is(Code.OUT_OF_RANGE, "PAST_END");

    assertThat(session.read(0, PAGES * PAGE)).isEqualTo(zeros(PAGES * PAGE));
  }

  @Test
  void readAndWrite_lengthZero_succeedAtAnyOffset() {
    assertThat(session.read(-1L, 0)).isEmpty();
    session.write(-1L, ByteString.EMPTY);
    session.fillZero(-1L, 0);

    assertThat(session.map()).isEqualTo("........");
  }

  @Test
  void read_moreThanMaxDataBytes_isRefused() {
    int _ = session.use(0, PAGES).size();

    Refusal refusal = Refusal.of(() -> session.read(0, MAX_DATA + 1));

    refusal.is(
        Code.RESOURCE_EXHAUSTED,
        "TOO_MUCH_DATA",
        "1048577 bytes in one request; send at most --max-data-bytes=1048576");
    assertThat(refusal.retryMayHelp()).isFalse();
    Refusal.of(() -> session.read(0, -1))
        .is(Code.RESOURCE_EXHAUSTED, "TOO_MUCH_DATA", "4294967295 bytes");
    assertThat(session.opened().getMaxDataBytes()).isEqualTo(MAX_DATA);
  }

  @Test
  void write_moreThanMaxDataBytes_isRefusedAndWritesNothing() {
    RawSession large = RawSession.open(channel, 512);
    int _ = large.use(0, 512).size();

    Refusal refusal = Refusal.of(() -> large.write(0, bytes(MAX_DATA + 1)));

    refusal.is(
        Code.RESOURCE_EXHAUSTED,
        "TOO_MUCH_DATA",
        "1048577 bytes in one request; send at most --max-data-bytes=1048576");
    assertThat(refusal.retryMayHelp()).isFalse();
    assertThat(large.read(0, MAX_DATA)).isEqualTo(zeros(MAX_DATA));
    large.write(0, bytes(MAX_DATA));
    large.cancel();
  }

  @Test
  void write_moreThanAMessageMayHold_isRefusedAndTheConnectionLives() {
    int _ = session.use(0, PAGES).size();

    Refusal refusal = Refusal.of(() -> session.write(0, bytes(3 * MAX_DATA)));

    assertThat(refusal.code()).isEqualTo(Code.RESOURCE_EXHAUSTED);
    assertThat(session.read(0, 1)).isEqualTo(zeros(1));
  }

  @Test
  void readAndWrite_availablePage_areRefusedAndWriteNothing() {
    int _ = session.use(0, 1).size();
    session.write(0, bytes(PAGE));
    session.stop(0, 1);

    Refusal.of(() -> session.read(5, 1))
        .is(
            Code.FAILED_PRECONDITION,
            "PAGE_NOT_USED",
            "page 0 is AVAILABLE, not USED: its bytes may be reclaimed at any time;"
                + " call UseRange(0, 1) before Read");
    Refusal.of(() -> session.write(5, zeros(1)))
        .is(Code.FAILED_PRECONDITION, "PAGE_NOT_USED", "call UseRange(0, 1) before Write");
    Refusal.of(() -> session.fillZero(5, 1))
        .is(Code.FAILED_PRECONDITION, "PAGE_NOT_USED", "call UseRange(0, 1) before FillZero");

    assertThat(session.map()).isEqualTo("a.......");
    assertThat(session.use(0, 1)).isEmpty();
    assertThat(session.read(0, PAGE)).isEqualTo(bytes(PAGE));
  }

  @Test
  void readAndWrite_freePage_areRefusedAndGiveItNoMemory() {
    double resident = server.metric("pagetide_resident_bytes");

    Refusal.of(() -> session.read(PAGE, 1))
        .is(
            Code.FAILED_PRECONDITION,
            "PAGE_NOT_USED",
            "page 1 is FREE, not USED: it keeps no bytes; call UseRange(1, 2) before Read");
    Refusal.of(() -> session.write(PAGE, bytes(1)))
        .is(Code.FAILED_PRECONDITION, "PAGE_NOT_USED", "call UseRange(1, 2) before Write");
    Refusal.of(() -> session.fillZero(PAGE, 1)).is(Code.FAILED_PRECONDITION, "PAGE_NOT_USED");

    assertThat(session.map()).isEqualTo("........");
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(resident);
  }

  @Test
  void write_acrossAUsedAndAFreePage_writesNothing() {
    int _ = session.use(0, 1).size();

    Refusal.of(() -> session.write(PAGE - 100, bytes(200)))
        .is(Code.FAILED_PRECONDITION, "PAGE_NOT_USED", "page 1 is FREE");

    assertThat(session.map()).isEqualTo("U.......");
    assertThat(session.use(0, 2)).containsExactly(span(1, 2));
    assertThat(session.read(0, 2 * PAGE)).isEqualTo(zeros(2 * PAGE));
  }

  @Test
  void write_acrossAFreeAndAUsedPage_writesNothing() {
    int _ = session.use(1, 2).size();

    Refusal.of(() -> session.write(PAGE - 100, bytes(200)))
        .is(Code.FAILED_PRECONDITION, "PAGE_NOT_USED", "page 0 is FREE");

    assertThat(session.read(PAGE, PAGE)).isEqualTo(zeros(PAGE));
    assertThat(session.map()).isEqualTo(".U......");
  }

  private static ByteString bytes(int length) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) 0x5a);
    return ByteString.copyFrom(bytes);
  }

  private static ByteString zeros(int length) {
    return ByteString.copyFrom(new byte[length]);
  }
}
