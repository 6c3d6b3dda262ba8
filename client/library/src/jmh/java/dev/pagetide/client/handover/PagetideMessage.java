package dev.pagetide.client.handover;

import dev.pagetide.client.AccessMode;
import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.Payload;
import dev.pagetide.client.Sender;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Messages travel in the messages of the stream, as for ends that cannot map their ranges. */
final class PagetideMessage extends PagetideHandOver {
  @Override
  ClientOptions options() {
    return ClientOptions.DEFAULT.withAccess(AccessMode.REMOTE);
  }

  @Override
  Slots slots(Sender sender) {
    return new Arrays();
  }

  /** Arrays that are used in turn. */
  private static final class Arrays implements Slots {
    private byte[][] arrays = new byte[1][0];
    private List<CompletableFuture<?>> copies = List.of();
    private int at;

    @Override
    public void begin(int sizeBytes, int count) {
      arrays = new byte[Math.min(count, 16)][sizeBytes];
      copies = none(arrays.length);
      at = 0;
    }

    @Override
    public MemorySegment next() throws Exception {
      at = (at + 1) % arrays.length;
      await(copies.get(at));
      return MemorySegment.ofArray(arrays[at]);
    }

    @Override
    public Payload written() {
      return Payload.of(arrays[at]);
    }

    @Override
    public void copiedBy(CompletableFuture<?> answer) {
      copies.set(at, answer);
    }
  }
}
