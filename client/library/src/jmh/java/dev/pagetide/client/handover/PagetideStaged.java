package dev.pagetide.client.handover;

import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.Payload;
import dev.pagetide.client.Sender;
import dev.pagetide.client.StagedBuffer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Messages are written in place, copied once, and read in place. */
final class PagetideStaged extends PagetideHandOver {
  private static final int STAGED_BYTES = 1 << 20;

  @Override
  ClientOptions options() {
    return ClientOptions.DEFAULT;
  }

  @Override
  Slots slots(Sender sender) {
    return new StagedSlots(sender);
  }

  /** Buffers that are staged once a phase, and used in turn. */
  private static final class StagedSlots implements Slots {
    private final Sender sender;
    private final List<StagedBuffer> buffers = new ArrayList<>();
    private List<CompletableFuture<?>> copies = List.of();
    private int at;

    StagedSlots(Sender sender) {
      this.sender = sender;
    }

    @Override
    public void begin(int sizeBytes, int count) {
      buffers.forEach(StagedBuffer::close);
      buffers.clear();
      // As many as stay in the caches; a buffer is free again when it is copied, not when it is
      // read.
      int staged = Math.min(count, Math.clamp(STAGED_BYTES / Math.max(1, sizeBytes), 16, 256));
      for (int i = 0; i < staged; i++) {
        buffers.add(sender.stage(sizeBytes));
      }
      copies = none(staged);
      at = 0;
    }

    @Override
    public MemorySegment next() throws Exception {
      at = (at + 1) % buffers.size();
      await(copies.get(at));
      return buffers.get(at).segment();
    }

    @Override
    public Payload written() {
      return Payload.of(buffers.get(at));
    }

    @Override
    public void copiedBy(CompletableFuture<?> answer) {
      copies.set(at, answer);
    }
  }
}
