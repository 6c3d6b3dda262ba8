package dev.pagetide.server.rpc;

import com.google.protobuf.Timestamp;
import com.google.rpc.Code;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.page.PageCounters;
import dev.pagetide.server.page.PageCounts;
import dev.pagetide.server.page.RangeLook;
import dev.pagetide.server.page.ScanResult;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.page.SkipReason;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.v1.CountRequest;
import dev.pagetide.v1.CountResponse;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ListRangesRequest;
import dev.pagetide.v1.ListRangesResponse;
import dev.pagetide.v1.RangeMode;
import dev.pagetide.v1.RangeSummary;
import dev.pagetide.v1.ReclaimCount;
import dev.pagetide.v1.ScanRequest;
import dev.pagetide.v1.ScanResponse;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import dev.pagetide.v1.SkipCount;
import dev.pagetide.v1.Transport;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.time.Instant;
import java.util.Iterator;
import java.util.function.Supplier;

/** ShrinkerService for the operator: root and the server's own user, on the Unix socket. */
final class ShrinkerRpc extends ShrinkerServiceGrpc.ShrinkerServiceImplBase {
  private static final int ROOT_UID = 0;

  private final SessionRegistry sessions;
  private final Shrinker shrinker;
  private final PageBudget budget;
  private final Workers workers;
  private final int ownUid;

  ShrinkerRpc(
      SessionRegistry sessions, Shrinker shrinker, PageBudget budget, Workers workers, int ownUid) {
    this.sessions = sessions;
    this.shrinker = shrinker;
    this.budget = budget;
    this.workers = workers;
    this.ownUid = ownUid;
  }

  @Override
  public void count(CountRequest request, StreamObserver<CountResponse> observer) {
    forOperator(observer, () -> count(scope(request.getRangeId())));
  }

  private CountResponse count(PageBudget scope) {
    CountResponse.Builder response =
        CountResponse.newBuilder()
            .setPages(shrinker.count(scope))
            .setResidentPages(budget.chargedPages())
            .setBudgetPages(budget.limitPages())
            .setWaiting(shrinker.allocationQueue().size())
            .setPageSize(shrinker.pageSize());
    PageCounters counters = shrinker.counters();
    for (ReclaimTrigger trigger : ReclaimTrigger.values()) {
      long pages =
          trigger == ReclaimTrigger.CLOSE ? counters.closed() : counters.reclaimed(trigger);
      if (pages > 0) {
        response.addReclaimed(
            ReclaimCount.newBuilder().setTrigger(trigger(trigger)).setPages(pages));
      }
    }
    return response.build();
  }

  private static dev.pagetide.v1.ReclaimTrigger trigger(ReclaimTrigger trigger) {
    return switch (trigger) {
      case BUDGET -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_BUDGET;
      case WATERMARK -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_WATERMARK;
      case PSI_SOME -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_PSI_SOME;
      case PSI_FULL -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_PSI_FULL;
      case CGROUP -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_CGROUP;
      case MEMAVAILABLE -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_MEMAVAILABLE;
      case REQUEST -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_REQUEST;
      case WAITER -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_WAITER;
      case CLOSE -> dev.pagetide.v1.ReclaimTrigger.RECLAIM_TRIGGER_CLOSE;
    };
  }

  @Override
  public void scan(ScanRequest request, StreamObserver<ScanResponse> observer) {
    forOperator(observer, () -> scan(request));
  }

  private ScanResponse scan(ScanRequest request) {
    PageBudget scope = scope(request.getRangeId());
    // More than 2^63 - 1 pages means all pages.
    long pages = request.getPages() < 0 ? Long.MAX_VALUE : request.getPages();
    if (request.getDryRun()) {
      long would = Math.min(pages, shrinker.count(scope));
      return ScanResponse.newBuilder().setScanned(would).setReclaimed(would).build();
    }
    ScanResult result = shrinker.scan(pages, scope);
    ScanResponse.Builder response =
        ScanResponse.newBuilder().setScanned(result.scanned()).setReclaimed(result.reclaimed());
    result
        .skipped()
        .forEach((reason, count) ->
            response.addSkipped(SkipCount.newBuilder().setReason(reason(reason)).setPages(count)));
    return response.build();
  }

  private static dev.pagetide.v1.SkipReason reason(SkipReason reason) {
    return switch (reason) {
      case LOCKED -> dev.pagetide.v1.SkipReason.SKIP_REASON_LOCKED;
      case CHANGED -> dev.pagetide.v1.SkipReason.SKIP_REASON_CHANGED;
      case CLOSING -> dev.pagetide.v1.SkipReason.SKIP_REASON_CLOSING;
      case PUNCH_FAILED -> dev.pagetide.v1.SkipReason.SKIP_REASON_PUNCH_FAILED;
    };
  }

  @Override
  public void listRanges(ListRangesRequest request, StreamObserver<ListRangesResponse> observer) {
    forOperator(observer, () -> list(request));
  }

  private ListRangesResponse list(ListRangesRequest request) {
    long after = lastRangeId(request.getPageToken());
    int most =
        request.getPageSize() == 0
            ? ContractLimits.DEFAULT_LISTED_RANGES
            : (int)
                Math.min(
                    ContractLimits.MAX_LISTED_RANGES,
                    Integer.toUnsignedLong(request.getPageSize()));
    ListRangesResponse.Builder response = ListRangesResponse.newBuilder();
    Iterator<Session> listed = sessions.sessionsAfter(after).iterator();
    long last = after;
    while (listed.hasNext() && response.getRangesCount() < most) {
      Session session = listed.next();
      response.addRanges(summary(session));
      last = session.rangeId();
    }
    if (listed.hasNext()) {
      response.setNextPageToken(Long.toString(last));
    }
    return response.build();
  }

  private static long lastRangeId(String pageToken) {
    if (pageToken.isEmpty()) {
      return 0;
    }
    long rangeId;
    try {
      rangeId = Long.parseLong(pageToken);
    } catch (NumberFormatException e) {
      rangeId = -1;
    }
    if (rangeId < 0) {
      throw StatusMapper.status(
          Code.INVALID_ARGUMENT,
          ErrorReason.ERROR_REASON_PAGE_TOKEN_INVALID,
          "page_token is not one that ListRanges gave; leave it out to start from the first range");
    }
    return rangeId;
  }

  private RangeSummary summary(Session session) {
    shrinker.audit(session.range());
    Peer peer = session.peer();
    RangeLook look = session.range().look();
    PageCounts counts = look.counts();
    Instant opened = session.openTime();
    RangeSummary.Builder summary =
        RangeSummary.newBuilder()
            .setRangeId(session.rangeId())
            .setName(session.name())
            .setPid(peer.pid())
            .setUid(peer.uid() == Peer.NO_UID ? 0 : peer.uid())
            .setMode(
                switch (session.range().mode()) {
                  case PAGES -> RangeMode.RANGE_MODE_PAGES;
                  case BUFFERS -> RangeMode.RANGE_MODE_BUFFERS;
                })
            .setOpenTime(
                Timestamp.newBuilder()
                    .setSeconds(opened.getEpochSecond())
                    .setNanos(opened.getNano()))
            .setFreePages(Math.toIntExact(counts.free()))
            .setAvailablePages(Math.toIntExact(counts.available()))
            .setUsedPages(Math.toIntExact(counts.used()))
            .setHighWatermark(session.range().highWatermark())
            .setStrays(session.range().strays())
            .setContradictions(counts.contradictions())
            .setTransport(
                switch (peer.transport()) {
                  case UNIX -> Transport.TRANSPORT_UNIX;
                  case TCP -> Transport.TRANSPORT_TCP;
                });
    look.oldestUsedNanos().ifPresent(nanos -> summary.setOldestUsed(duration(nanos)));
    return summary.build();
  }

  private static com.google.protobuf.Duration duration(long nanos) {
    Duration time = Duration.ofNanos(nanos);
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(time.getSeconds())
        .setNanos(time.getNano())
        .build();
  }

  private PageBudget scope(long rangeId) {
    return rangeId == 0 ? budget : sessions.find(rangeId).budget();
  }

  private <A> void forOperator(StreamObserver<A> observer, Supplier<A> work) {
    Peer caller = PeerNegotiator.caller();
    if (caller.transport() != Peer.Transport.UNIX
        || (caller.uid() != ROOT_UID && caller.uid() != ownUid)) {
      observer.onError(
          StatusMapper.status(
              Code.PERMISSION_DENIED,
              ErrorReason.ERROR_REASON_NOT_PERMITTED,
              "ShrinkerService is for root and the server's own user, on the server's Unix"
                  + " socket"));
      return;
    }
    UnaryCalls.begin(observer);
    workers.requests().execute(() -> UnaryCalls.finish(observer, work));
  }
}
