package dev.pagetide.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.pagetide.v1.FillZeroRequest;
import dev.pagetide.v1.GetRangeRequest;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.StopUsingRangeRequest;
import dev.pagetide.v1.UseRangeRequest;
import dev.pagetide.v1.UseRangeResponse;
import dev.pagetide.v1.WaitMode;
import dev.pagetide.v1.WriteRequest;
import io.grpc.Deadline;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * The rpcs on one session, by its token: Java values in, the contract's messages out, reads and
 * writes cut to what one message may carry.
 */
final class RangeCalls {

  /** A piece above this would pass the channel's limit for one message. */
  private static final int LARGEST_PIECE_BYTES = 32 << 20;

  private final UnaryCalls calls;
  private final String token;
  private final int pageCount;
  private final int pieceBytes;
  private final WaitMode wait;

  RangeCalls(UnaryCalls calls, SessionTicket ticket) {
    this.calls = calls;
    this.token = ticket.token();
    this.pageCount = ticket.pageCount();
    this.pieceBytes = Math.min(ticket.maxDataBytes(), LARGEST_PIECE_BYTES);
    this.wait = waitMode(calls.options());
  }

  static WaitMode waitMode(ClientOptions options) {
    return options.waitsForMemory() ? WaitMode.WAIT_MODE_UNTIL_DEADLINE : WaitMode.WAIT_MODE_NEVER;
  }

  static PageInterval interval(PageSpan wire) {
    int startPage = WireNumbers.count("start_page", wire.getStartPage());
    int endPage = WireNumbers.count("end_page", wire.getEndPage());
    if (startPage > endPage) {
      throw PagetideException.local(
          StatusCode.INTERNAL,
          "the server answered pages [" + startPage + ", " + endPage + "), which mean nothing");
    }
    return new PageInterval(startPage, endPage);
  }

  private static PageSpan span(PageInterval pages) {
    return PageSpan.newBuilder()
        .setStartPage(pages.startPage())
        .setEndPage(pages.endPage())
        .build();
  }

  /** How long one operation may take. */
  Duration callTimeout() {
    return calls.options().callTimeout();
  }

  /** A deadline that starts now: for one operation, of one or several calls. */
  Deadline deadline() {
    return calls.deadline();
  }

  CompletableFuture<List<PageInterval>> use(List<PageInterval> pages, Deadline deadline) {
    UseRangeRequest.Builder request = UseRangeRequest.newBuilder().setSession(token).setWait(wait);
    pages.forEach(interval -> request.addPages(span(interval)));
    return calls.call(
        PageRangeServiceGrpc.getUseRangeMethod(), request.build(), deadline, RangeCalls::fresh);
  }

  private static List<PageInterval> fresh(UseRangeResponse answer) {
    return answer.getFreshList().stream().map(RangeCalls::interval).toList();
  }

  CompletableFuture<Void> stop(List<PageInterval> pages) {
    StopUsingRangeRequest.Builder request = StopUsingRangeRequest.newBuilder().setSession(token);
    pages.forEach(interval -> request.addPages(span(interval)));
    return calls.call(
        PageRangeServiceGrpc.getStopUsingRangeMethod(),
        request.build(),
        calls.deadline(),
        answer -> null);
  }

  /** Fills {@code into}, which this call owns from now on, with the bytes at {@code offset}. */
  CompletableFuture<Void> read(long offset, ByteBuffer into) {
    Deadline deadline = calls.deadline();
    return ByteTransfer.run(
        into.remaining(),
        pieceBytes,
        (at, length) -> readPiece(offset + at, length, deadline),
        (at, bytes) -> bytes.copyTo(into.slice(into.position() + at, bytes.size())));
  }

  private CompletableFuture<ByteString> readPiece(long offset, int length, Deadline deadline) {
    return calls.call(
        PageRangeServiceGrpc.getReadMethod(),
        ReadRequest.newBuilder().setSession(token).setOffset(offset).setLength(length).build(),
        deadline,
        answer -> {
          if (answer.getData().size() != length) {
            throw PagetideException.local(
                StatusCode.INTERNAL,
                "the server answered " + answer.getData().size() + " bytes to a Read of " + length);
          }
          return answer.getData();
        });
  }

  /** Writes the bytes of {@code from}, which must not change until the future is complete. */
  CompletableFuture<Void> write(long offset, ByteBuffer from) {
    Deadline deadline = calls.deadline();
    return ByteTransfer.run(
        from.remaining(),
        pieceBytes,
        (at, length) -> writePiece(offset + at, from.slice(from.position() + at, length), deadline),
        (at, answer) -> {});
  }

  private CompletableFuture<ByteString> writePiece(
      long offset, ByteBuffer piece, Deadline deadline) {
    return calls.call(
        PageRangeServiceGrpc.getWriteMethod(),
        WriteRequest.newBuilder()
            .setSession(token)
            .setOffset(offset)
            .setData(UnsafeByteOperations.unsafeWrap(piece))
            .build(),
        deadline,
        answer -> ByteString.EMPTY);
  }

  CompletableFuture<Void> fillZero(long offset, long length) {
    return calls.call(
        PageRangeServiceGrpc.getFillZeroMethod(),
        FillZeroRequest.newBuilder().setSession(token).setOffset(offset).setLength(length).build(),
        calls.deadline(),
        answer -> null);
  }

  CompletableFuture<RangeDescription> describe(RangeAccess access) {
    Deadline deadline = calls.deadline();
    return DescribeCall.run(startPage -> describe(startPage, access, deadline));
  }

  private CompletableFuture<RangeDescription> describe(
      int startPage, RangeAccess access, Deadline deadline) {
    GetRangeRequest.Builder request = GetRangeRequest.newBuilder().setSession(token);
    if (startPage > 0) {
      request.setPages(span(new PageInterval(startPage, pageCount)));
    }
    return calls.call(
        PageRangeServiceGrpc.getGetRangeMethod(),
        request.build(),
        deadline,
        answer -> RangeDescription.of(answer, access));
  }
}
