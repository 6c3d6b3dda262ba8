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
import dev.pagetide.v1.ScanResponse;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

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
  public RangeUnderTest open(long sizeBytes) {
    int pages = Math.toIntExact(sizeBytes / Memfd.systemPageSize());
    return new RemoteRange(RawSession.open(channel, pages));
  }

  @Override
  public ScanResult scan(long pages) {
    ScanResponse answer = shrinker.scan(ScanRequest.newBuilder().setPages(pages).build());
    return new ScanResult(answer.getScanned(), answer.getReclaimed(), Map.of());
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
    private static final Map<String, Refused.Why> REASONS =
        Map.of("PAGE_NOT_USED", Refused.Why.NOT_USED, "NO_MEMORY", Refused.Why.NO_MEMORY);

    private static <T> T told(Supplier<T> verb) {
      try {
        return verb.get();
      } catch (StatusRuntimeException e) {
        Refused.Why why = REASONS.get(Refusal.of(e).reason());
        throw why == null ? e : new Refused(why, e);
      }
    }

    private static void told(Runnable verb) {
      told(() -> {
        verb.run();
        return true;
      });
    }

    @Override
    public int pageCount() {
      return session.opened().getPageCount();
    }

    @Override
    public BitSet use(int... spans) {
      BitSet fresh = new BitSet();
      for (PageSpan span : told(() -> session.use(list(spans)))) {
        fresh.set(span.getStartPage(), span.getEndPage());
      }
      return fresh;
    }

    private static List<PageSpan> list(int... spans) {
      List<PageSpan> list = new ArrayList<>();
      for (int i = 0; i < spans.length; i += 2) {
        list.add(RawSession.span(spans[i], spans[i + 1]));
      }
      return list;
    }

    @Override
    public void stop(int... spans) {
      session.stop(list(spans));
    }

    @Override
    public void write(long offset, byte[] bytes) {
      told(() -> session.write(offset, ByteString.copyFrom(bytes)));
    }

    @Override
    public void fillZero(long offset, long length) {
      told(() -> session.fillZero(offset, length));
    }

    @Override
    public byte[] read(long offset, int length) {
      return told(() -> session.read(offset, length).toByteArray());
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
    public void vanish() {
      session.cancel();
    }

    @Override
    public void close() {
      session.cancel();
    }
  }
}
