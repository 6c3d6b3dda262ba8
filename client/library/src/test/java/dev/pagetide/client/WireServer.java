package dev.pagetide.client;

import dev.pagetide.server.InsideServer;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.page.RangeUnderTest;
import dev.pagetide.server.page.Refused;
import dev.pagetide.server.page.ScanResult;
import dev.pagetide.server.page.ServerInside;
import dev.pagetide.server.page.ServerTerms;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.page.SkipReason;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A server under test behind its sockets, and ranges of the client library, each opened by a client
 * of its own.
 */
final class WireServer implements ServerInside {
  /** Of a race in this process, which round is gone where each call is an rpc. */
  private static final int ROUNDS_SHARE = 100;

  private static final int FEWEST_ROUNDS = 5;

  private final Faces faces;
  private final InsideServer server;
  private final PagetideClient operator;
  private final List<WireRange> ranges = new CopyOnWriteArrayList<>();

  /** By what a session is reached. */
  enum Faces {
    /** One range whose every operation is an rpc. */
    REMOTE,
    /** One range with the file mapped. */
    SHARED,
    /** A shared range and a remote one attached to the same session, by turns. */
    MIXED
  }

  WireServer(Faces faces, ServerTerms terms) {
    this.faces = faces;
    this.server = InsideServer.start(terms);
    this.operator = connect(AccessMode.REMOTE);
  }

  private PagetideClient connect(AccessMode access) {
    return PagetideClient.connect(server.directory(), ClientOptions.DEFAULT.withAccess(access));
  }

  @Override
  public RangeUnderTest open(long sizeBytes) {
    PagetideClient owner = connect(faces == Faces.REMOTE ? AccessMode.REMOTE : AccessMode.SHARED);
    try {
      PageRange range = WireRange.told(() -> owner.open(OpenOptions.atMost(sizeBytes)));
      if ((range.access() == RangeAccess.SHARED) != (faces != Faces.REMOTE)) {
        throw new AssertionError(faces + " is " + range.access() + ": " + range.whyRemote());
      }
      List<PageRange> all = new ArrayList<>(List.of(range));
      if (faces == Faces.MIXED) {
        all.add(operator.attach(range.ticket()));
      }
      ShrinkablePageRange core = server.range(range.rangeId());
      WireRange opened = new WireRange(owner, all, core, () -> server.awaitEnd(range.rangeId()));
      ranges.add(opened);
      return opened;
    } catch (Refused e) {
      owner.close();
      throw e;
    }
  }

  @Override
  public ShrinkablePageRange core(RangeUnderTest range) {
    return ((WireRange) range).core();
  }

  @Override
  public List<ShrinkablePageRange> cores() {
    return ranges.stream().map(WireRange::core).toList();
  }

  @Override
  public Shrinker shrinker() {
    return server.shrinker();
  }

  @Override
  public PageBudget budget() {
    return server.budget();
  }

  @Override
  public int rounds(int inProcess) {
    return Math.max(FEWEST_ROUNDS, inProcess / ROUNDS_SHARE);
  }

  @Override
  public ScanResult scan(long pages) {
    dev.pagetide.client.ScanResult answer =
        operator.shrinker().scan(pages, ShrinkerClient.ALL_RANGES, false);
    Map<SkipReason, Long> skipped = new EnumMap<>(SkipReason.class);
    answer
        .skippedPages()
        .forEach((reason, count) -> skipped.put(SkipReason.valueOf(reason.name()), count));
    return new ScanResult(answer.scannedPages(), answer.reclaimedPages(), skipped);
  }

  @Override
  public long count() {
    return operator.shrinker().count(ShrinkerClient.ALL_RANGES);
  }

  @Override
  public void closeRanges() {
    ranges.forEach(WireRange::close);
  }

  @Override
  public void close() {
    closeRanges();
    operator.close();
    server.close();
  }
}
