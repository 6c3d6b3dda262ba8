package dev.pagetide.server.rpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import com.google.rpc.Code;
import dev.pagetide.server.budget.AllocationQueue;
import dev.pagetide.server.page.PageSpans;
import dev.pagetide.server.page.PendingUse;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.page.StateRuns;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.FillZeroRequest;
import dev.pagetide.v1.FillZeroResponse;
import dev.pagetide.v1.GetRangeRequest;
import dev.pagetide.v1.GetRangeResponse;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.ReadResponse;
import dev.pagetide.v1.SharedFile;
import dev.pagetide.v1.StopUsingRangeRequest;
import dev.pagetide.v1.StopUsingRangeResponse;
import dev.pagetide.v1.UseRangeRequest;
import dev.pagetide.v1.UseRangeResponse;
import dev.pagetide.v1.WaitMode;
import dev.pagetide.v1.WriteRequest;
import dev.pagetide.v1.WriteResponse;
import io.grpc.Context;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;

/**
 * PageRangeService over sessions and their ranges.
 *
 * <p>The event loop itself carries out work that takes nanoseconds a page, never waits, and has to
 * stay in the order of its connection: uses and stops of resident pages, and also small copies and
 * the states of small ranges. Work that allocates, reclaims, copies much, or describes a large
 * range goes to the {@link Workers}.
 */
final class PageRangeRpc extends PageRangeServiceGrpc.PageRangeServiceImplBase {
  /** The largest copy on the event loop: it takes some 10 us. */
  private static final int SMALL_COPY_BYTES = 64 * 1024;

  /**
   * The largest range whose states are read on the event loop. That takes some microseconds, and
   * some tens more if every page differs in state from the page before and so makes a run of its
   * own.
   */
  private static final int SMALL_RANGE_PAGES = 2048;

  /** The most runs in one answer. */
  private static final int MAX_RUNS = ContractLimits.MAX_RUNS;

  /** About the bytes that one run takes in an answer. */
  private static final int RUN_BYTES = 16;

  private static final UseRangeResponse NOTHING_FRESH = UseRangeResponse.getDefaultInstance();
  private static final StopUsingRangeResponse STOPPED = StopUsingRangeResponse.getDefaultInstance();
  private static final WriteResponse WRITTEN = WriteResponse.getDefaultInstance();
  private static final FillZeroResponse FILLED = FillZeroResponse.getDefaultInstance();

  private final SessionRegistry sessions;
  private final SessionStreams streams;
  private final AllocationQueue allocationQueue;
  private final Workers workers;
  private final int maxDataBytes;
  private final long allocationWaitNanos;
  private final long serverInstance;
  private final String handoffSocket;

  /** Walks through large ranges: one at a time for each user. */
  private final TurnsByUser walks;

  PageRangeRpc(
      SessionRegistry sessions,
      SessionStreams streams,
      AllocationQueue allocationQueue,
      Workers workers,
      int maxDataBytes,
      long allocationWaitNanos,
      long serverInstance,
      Path handoffSocket) {
    this.sessions = sessions;
    this.streams = streams;
    this.allocationQueue = allocationQueue;
    this.workers = workers;
    this.maxDataBytes = maxDataBytes;
    this.allocationWaitNanos = allocationWaitNanos;
    this.serverInstance = serverInstance;
    this.handoffSocket = handoffSocket.toString();
    this.walks = new TurnsByUser(workers.requests());
  }

  @Override
  public void openRange(OpenRangeRequest request, StreamObserver<OpenRangeResponse> observer) {
    try {
      if (Context.current().getDeadline() != null) {
        throw StatusMapper.status(
            Code.INVALID_ARGUMENT,
            ErrorReason.ERROR_REASON_DEADLINE_NOT_ALLOWED,
            "OpenRange with a deadline: the stream is the session, and the deadline would end it;"
                + " leave it out, and cancel the stream to end the session");
      }
      long waitNanos = WaitPolicy.nanos(WaitPolicy.known(request.getWait()), allocationWaitNanos);
      InFlight.Ticket ticket = InFlight.ticket();
      streams.open(
          request,
          PeerNegotiator.caller(),
          waitNanos,
          ticket::isDisconnected,
          (ServerCallStreamObserver<OpenRangeResponse>) observer,
          session -> {
            ticket.becomeSession();
            return opened(session);
          });
    } catch (RuntimeException | Error e) {
      observer.onError(StatusMapper.of(e));
    }
  }

  private OpenRangeResponse opened(Session session) {
    ShrinkablePageRange range = session.range();
    Opened.Builder opened =
        Opened.newBuilder()
            .setSession(session.token())
            .setRangeId(session.rangeId())
            .setPageSize(range.pageSize())
            .setPageCount(range.pageCount())
            .setMaxDataBytes(maxDataBytes)
            .setServerInstance(serverInstance);
    if (session.peer().transport() == Peer.Transport.UNIX) {
      opened.setFile(file(SharedFileLayout.of(range.pageSize(), range.pageCount())));
    }
    return OpenRangeResponse.newBuilder().setOpened(opened).build();
  }

  private SharedFile file(SharedFileLayout layout) {
    return SharedFile.newBuilder()
        .setHandoffSocket(handoffSocket)
        .setSizeBytes(layout.sizeBytes())
        .setTableOffset(layout.tableOffset())
        .setDataOffset(layout.dataOffset())
        .setLayoutVersion(SharedFileLayout.VERSION)
        .build();
  }

  @Override
  public void useRange(UseRangeRequest request, StreamObserver<UseRangeResponse> observer) {
    PageSpans pages;
    ShrinkablePageRange range;
    WaitMode wait;
    try {
      wait = WaitPolicy.known(request.getWait());
      range = pagesRange(request.getSession());
      pages = PageMessages.spans(range, request.getPagesList());
      if (range.tryUseRange(pages)) {
        UnaryCalls.begin(observer);
        UnaryCalls.answer(observer, NOTHING_FRESH);
        return;
      }
    } catch (RuntimeException | Error e) {
      observer.onError(StatusMapper.of(e));
      return;
    }
    long waitNanos = WaitPolicy.nanos(wait, allocationWaitNanos);
    PendingUse use = new PendingUse(range, pages, waitNanos, workers.requests());
    UnaryCalls.follow(
        observer,
        use.result(),
        fresh -> UseRangeResponse.newBuilder().addAllFresh(PageMessages.spans(fresh)).build());
    workers.requests().execute(use);
  }

  @Override
  public void stopUsingRange(
      StopUsingRangeRequest request, StreamObserver<StopUsingRangeResponse> observer) {
    UnaryCalls.now(
        observer,
        () -> {
          ShrinkablePageRange range = pagesRange(request.getSession());
          range.stopUsingRange(PageMessages.spans(range, request.getPagesList()));
          allocationQueue.pagesStopped();
          return STOPPED;
        });
  }

  @Override
  public void read(ReadRequest request, StreamObserver<ReadResponse> observer) {
    Peer caller = PeerNegotiator.caller();
    InFlight.Ticket ticket = InFlight.ticket();
    Supplier<ReadResponse> work =
        () -> {
          ShrinkablePageRange range = sessions.find(request.getSession(), caller).range();
          int length = PageMessages.dataLength(request.getLength(), maxDataBytes);
          ticket.expectAnswer(length);
          byte[] data = new byte[length];
          range.read(request.getOffset(), ByteBuffer.wrap(data));
          // No other code has the array, so we may wrap it instead of copying it.
          return ReadResponse.newBuilder().setData(UnsafeByteOperations.unsafeWrap(data)).build();
        };
    nowOrLater(request.getLength(), observer, work);
  }

  @Override
  public void write(WriteRequest request, StreamObserver<WriteResponse> observer) {
    Peer caller = PeerNegotiator.caller();
    ByteString data = request.getData();
    nowOrLater(
        data.size(),
        observer,
        () -> {
          ShrinkablePageRange range = sessions.find(request.getSession(), caller).range();
          PageMessages.dataLength(data.size(), maxDataBytes);
          range.write(request.getOffset(), data.asReadOnlyByteBuffer());
          return WRITTEN;
        });
  }

  @Override
  public void fillZero(FillZeroRequest request, StreamObserver<FillZeroResponse> observer) {
    Peer caller = PeerNegotiator.caller();
    nowOrLater(
        request.getLength(),
        observer,
        () -> {
          sessions
              .find(request.getSession(), caller)
              .range()
              .fillZero(request.getOffset(), request.getLength());
          return FILLED;
        });
  }

  @Override
  public void getRange(GetRangeRequest request, StreamObserver<GetRangeResponse> observer) {
    ShrinkablePageRange range;
    PageSpans asked;
    try {
      range = range(request.getSession());
      asked =
          request.hasPages()
              ? PageMessages.spans(range, List.of(request.getPages()))
              : range.spans().add(0, range.pageCount()).build();
      if (range.pageCount() <= SMALL_RANGE_PAGES) {
        UnaryCalls.begin(observer);
        UnaryCalls.answer(observer, describe(StateRuns.of(range, asked, MAX_RUNS), range));
        return;
      }
    } catch (RuntimeException | Error e) {
      observer.onError(StatusMapper.of(e));
      return;
    }
    UnaryCalls.begin(observer);
    InFlight.Ticket ticket = InFlight.ticket();
    walks.submit(
        PeerNegotiator.caller().uid(),
        () ->
            UnaryCalls.finish(
                observer,
                () -> {
                  StateRuns found = StateRuns.of(range, asked, MAX_RUNS);
                  ticket.expectAnswer((long) found.size() * RUN_BYTES);
                  return describe(found, range);
                }));
  }

  /** The numbers and the runs come from one walk, so they agree. */
  private static GetRangeResponse describe(StateRuns found, ShrinkablePageRange range) {
    return GetRangeResponse.newBuilder()
        .setFreePages(found.count(PageState.FREE))
        .setAvailablePages(found.count(PageState.AVAILABLE))
        .setUsedPages(found.count(PageState.USED))
        .setHighWatermark(range.highWatermark())
        .addAllRuns(PageMessages.runs(found))
        .build();
  }

  /** A range of mode PAGES: its client uses and stops its pages. */
  private ShrinkablePageRange pagesRange(String token) {
    ShrinkablePageRange range = range(token);
    if (range.mode() != RangeMode.PAGES) {
      throw StatusMapper.status(
          Code.FAILED_PRECONDITION,
          ErrorReason.ERROR_REASON_WRONG_MODE,
          "the session has mode RANGE_MODE_BUFFERS: its pages follow its buffers;"
              + " call TransactionService.Exchange to allocate and free those");
    }
    return range;
  }

  private ShrinkablePageRange range(String token) {
    return sessions.find(token, PeerNegotiator.caller()).range();
  }

  private <A> void nowOrLater(long bytes, StreamObserver<A> observer, Supplier<A> work) {
    if (Long.compareUnsigned(bytes, SMALL_COPY_BYTES) <= 0) {
      UnaryCalls.now(observer, work);
    } else {
      later(observer, work);
    }
  }

  private <A> void later(StreamObserver<A> observer, Supplier<A> work) {
    UnaryCalls.begin(observer);
    workers.requests().execute(() -> UnaryCalls.finish(observer, work));
  }
}
