package dev.pagetide.server.page;

import com.google.protobuf.ByteString;
import dev.pagetide.server.RawSession;
import dev.pagetide.server.Refusal;
import dev.pagetide.server.TestServer;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.shm.PageState;
import dev.pagetide.v1.CountRequest;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.ScanRequest;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/** The random-operation suite's server in a second process, and its ranges behind gRPC. */
final class OverGrpc implements RangeUnderTest.Server {
  private final TestServer server;
  private final ManagedChannel channel;
  private final ShrinkerServiceGrpc.ShrinkerServiceBlockingStub shrinker;

  /** A server with this budget, bookkeeping pages included. */
  OverGrpc(long budgetPages) {
    long bytes = budgetPages * Memfd.systemPageSize();
    try {
      server =
          TestServer.start(
              "--max-range-bytes=" + 24 * Memfd.systemPageSize(),
              "--max-resident-bytes=" + bytes,
              "--max-resident-bytes-per-uid=" + bytes,
              "--max-resident-bytes-per-session=" + bytes);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    channel = server.connect();
    shrinker = ShrinkerServiceGrpc.newBlockingStub(channel);
  }

  @Override
  public int pageSize() {
    return Memfd.systemPageSize();
  }

  @Override
  public RangeUnderTest open(int pages) {
    return new RemoteRange(RawSession.open(channel, pages));
  }

  @Override
  public long scan(long pages) {
    return shrinker.scan(ScanRequest.newBuilder().setPages(pages).build()).getReclaimed();
  }

  @Override
  public long count() {
    return shrinker.count(CountRequest.getDefaultInstance()).getPages();
  }

  @Override
  public void close() {
    try {
      server.closeWithoutStackTrace();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private record RemoteRange(RawSession session) implements RangeUnderTest {
    @Override
    public int pageCount() {
      return session.opened().getPageCount();
    }

    @Override
    public Optional<BitSet> use(BitSet pages) {
      try {
        BitSet fresh = new BitSet();
        for (PageSpan span : session.use(spans(pages))) {
          fresh.set(span.getStartPage(), span.getEndPage());
        }
        return Optional.of(fresh);
      } catch (StatusRuntimeException e) {
        expect("NO_MEMORY", e);
        return Optional.empty();
      }
    }

    private static List<PageSpan> spans(BitSet pages) {
      List<PageSpan> spans = new ArrayList<>();
      int start = pages.nextSetBit(0);
      while (start >= 0) {
        int end = pages.nextClearBit(start);
        spans.add(RawSession.span(start, end));
        start = pages.nextSetBit(end);
      }
      return spans;
    }

    private static void expect(String reason, StatusRuntimeException refused) {
      if (!Refusal.of(refused).reason().equals(reason)) {
        throw refused;
      }
    }

    @Override
    public void stop(BitSet pages) {
      session.stop(spans(pages));
    }

    @Override
    public boolean write(long offset, byte[] bytes) {
      return usedFor(() -> session.write(offset, ByteString.copyFrom(bytes)));
    }

    @Override
    public boolean zero(long offset, int length) {
      return usedFor(() -> session.fillZero(offset, length));
    }

    private static boolean usedFor(Runnable call) {
      try {
        call.run();
        return true;
      } catch (StatusRuntimeException e) {
        expect("PAGE_NOT_USED", e);
        return false;
      }
    }

    @Override
    public Optional<byte[]> read(long offset, int length) {
      try {
        return Optional.of(session.read(offset, length).toByteArray());
      } catch (StatusRuntimeException e) {
        expect("PAGE_NOT_USED", e);
        return Optional.empty();
      }
    }

    @Override
    public PageState[] states() {
      return session
          .map()
          .chars()
          .mapToObj(letter ->
              switch (letter) {
                case '.' -> PageState.FREE;
                case 'a' -> PageState.AVAILABLE;
                default -> PageState.USED;
              })
          .toArray(PageState[]::new);
    }

    @Override
    public void close() {
      session.cancel();
    }
  }
}
