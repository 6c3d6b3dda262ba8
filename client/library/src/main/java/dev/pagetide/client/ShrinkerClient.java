package dev.pagetide.client;

import dev.pagetide.shm.ContractLimits;
import dev.pagetide.v1.CountRequest;
import dev.pagetide.v1.ListRangesRequest;
import dev.pagetide.v1.ScanRequest;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import io.grpc.Deadline;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * The operator's calls: count what the shrinker could reclaim, scan now, and list which sessions
 * hold which pages.
 *
 * <p>The server answers root and its own uid, on the Unix socket only. Any other caller gets
 * PERMISSION_DENIED / NOT_PERMITTED. Any number of threads may call any method at once. Each call
 * ends within the client's call timeout, and fails with {@link PagetideException}.
 */
public final class ShrinkerClient {

  /** Stands for all ranges where a method takes a range's id. */
  public static final long ALL_RANGES = 0;

  private final UnaryCalls calls;

  ShrinkerClient(UnaryCalls calls) {
    this.calls = calls;
  }

  /**
   * Counts the AVAILABLE pages, which are the pages that a scan could reclaim.
   *
   * @param rangeId one range, or {@link #ALL_RANGES}
   * @throws PagetideException UNKNOWN_SESSION if there is no such range
   */
  public long count(long rangeId) {
    return Blocking.await(() -> countAsync(rangeId));
  }

  /** {@link #count} without waiting. */
  public CompletableFuture<Long> countAsync(long rangeId) {
    return calls.call(
        ShrinkerServiceGrpc.getCountMethod(),
        CountRequest.newBuilder().setRangeId(rangeId).build(),
        calls.deadline(),
        answer -> WireNumbers.count("pages", answer.getPages()));
  }

  /** The memory figures of the whole server, and why it has reclaimed pages so far. */
  public MemoryStatus memory() {
    return Blocking.await(this::memoryAsync);
  }

  /** {@link #memory} without waiting. */
  public CompletableFuture<MemoryStatus> memoryAsync() {
    return calls.call(
        ShrinkerServiceGrpc.getCountMethod(),
        CountRequest.getDefaultInstance(),
        calls.deadline(),
        MemoryStatus::of);
  }

  /**
   * Reclaims up to {@code pages} AVAILABLE pages, those first that became AVAILABLE first. It never
   * takes a USED page.
   *
   * @param pages the most pages to reclaim; 0 does nothing
   * @param rangeId one range, or {@link #ALL_RANGES}
   * @param dryRun whether to count what the scan would reclaim, and reclaim nothing
   * @throws IllegalArgumentException if {@code pages} is negative
   * @throws PagetideException UNKNOWN_SESSION if there is no such range
   */
  public ScanResult scan(long pages, long rangeId, boolean dryRun) {
    return Blocking.await(() -> scanAsync(pages, rangeId, dryRun));
  }

  /** {@link #scan} without waiting. */
  public CompletableFuture<ScanResult> scanAsync(long pages, long rangeId, boolean dryRun) {
    if (pages < 0) {
      throw new IllegalArgumentException("pages=" + pages + " is negative");
    }
    return calls.call(
        ShrinkerServiceGrpc.getScanMethod(),
        ScanRequest.newBuilder().setPages(pages).setRangeId(rangeId).setDryRun(dryRun).build(),
        calls.deadline(),
        ScanResult::of);
  }

  /** Lists the live ranges in the order of their ids, in as many requests as are needed. */
  public List<RangeStatus> listRanges() {
    return Blocking.await(this::listRangesAsync);
  }

  /** {@link #listRanges} without waiting. */
  public CompletableFuture<List<RangeStatus>> listRangesAsync() {
    CompletableFuture<List<RangeStatus>> result = new CompletableFuture<>();
    listMore(result, new ArrayList<>(), "", calls.deadline());
    return result;
  }

  private void listMore(
      CompletableFuture<List<RangeStatus>> result,
      List<RangeStatus> soFar,
      String pageToken,
      Deadline deadline) {
    CompletableFuture<String> nextToken =
        calls.call(
            ShrinkerServiceGrpc.getListRangesMethod(),
            ListRangesRequest.newBuilder()
                .setPageSize(ContractLimits.MAX_LISTED_RANGES)
                .setPageToken(pageToken)
                .build(),
            deadline,
            listed -> {
              listed.getRangesList().forEach(range -> soFar.add(RangeStatus.of(range)));
              return listed.getNextPageToken();
            });
    var _ =
        nextToken.whenComplete((next, failure) -> {
          if (failure != null) {
            result.completeExceptionally(failure);
          } else if (next.isEmpty()) {
            result.complete(List.copyOf(soFar));
          } else if (!result.isDone()) {
            listMore(result, soFar, next, deadline);
          }
        });
    var _ = result.whenComplete((_, _) -> nextToken.cancel(true));
  }
}
