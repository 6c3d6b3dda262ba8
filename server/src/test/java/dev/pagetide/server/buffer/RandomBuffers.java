package dev.pagetide.server.buffer;

import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.shm.PageState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Random buffers on a range and on its model, compared after every step: where they lie, pages,
 * totals, refusals and flags; and the bytes of a buffer when it comes, and of all now and then.
 */
final class RandomBuffers {
  private static final int STEPS_BETWEEN_WHOLE_LOOKS = 100;
  private static final int SENDERS = 3;

  private final long seed;
  private final Random random;
  private final int pages;
  private final int pageSize = PageFileMaker.MEMFD.pageSize();
  private final BufferModel model;
  private final List<Live> live = new ArrayList<>();
  private int lastNumber;
  private long step;
  private String last = "open";

  private static final class Live {
    private final Buffer buffer;
    private Buffer.State state = Buffer.State.BUILDING;
    private boolean hasPages;
    private int pins;

    private Live(Buffer buffer) {
      this.buffer = buffer;
    }

    private int offset() {
      return Math.toIntExact(buffer.offset());
    }

    private int space() {
      return Math.toIntExact(buffer.spaceBytes());
    }
  }

  RandomBuffers(long seed) {
    this.seed = seed;
    this.random = new Random(seed);
    this.pages = 1 + random.nextInt(10);
    this.model = new BufferModel(pages, pageSize);
  }

  /** Runs so many steps on a range of its own. */
  void run(long steps) {
    AtomicLong clock = new AtomicLong();
    try (TestBuffers buffers =
        new TestBuffers(pages, 1 << 20, clock::incrementAndGet, PageFileMaker.MEMFD)) {
      for (step = 0; step < steps; step++) {
        stepOn(buffers);
        compare(buffers);
        if (step % STEPS_BETWEEN_WHOLE_LOOKS == 0) {
          compareAllBytes(buffers);
          buffers.checkInvariants();
        }
      }
    }
  }

  private void stepOn(TestBuffers buffers) {
    int kind = random.nextInt(100);
    Live some = live.isEmpty() ? null : live.get(random.nextInt(live.size()));
    if (kind < 32 || some == null) {
      allocate(buffers);
    } else if (kind < 54) {
      forward(buffers, some);
    } else if (kind < 80) {
      free(buffers, some);
    } else if (kind < 83) {
      freeElsewhere(buffers);
    } else if (kind < 89) {
      pin(buffers);
    } else if (kind < 94) {
      unpin(buffers, some);
    } else {
      int most = random.nextInt(3) == 0 ? random.nextInt(20) : 1;
      last = "scan " + most;
      expectEqual(buffers.shrinker.scan(most).reclaimed(), (long) model.scan(most));
    }
  }

  private int someSize() {
    return switch (random.nextInt(6)) {
      case 0 -> random.nextInt(9);
      case 1 -> pageSize * random.nextInt(3);
      case 2 -> random.nextInt(2 * pageSize);
      default -> random.nextInt(pageSize / 2);
    };
  }

  private void allocate(TestBuffers buffers) {
    int size = someSize();
    int space = BufferModel.space(size);
    BufferRequest request =
        new BufferRequest(
            size, random.nextInt(2) == 0, random.nextInt(3) == 0, random.nextInt(SENDERS));
    last = "reserve " + request;
    int offset = model.bestFit(space);
    Class<?> refusal =
        request.oneWay() && oneWayUsed() + space > oneWayLimit()
            ? BufferFailure.NoOneWaySpace.class
            : offset < 0 ? BufferFailure.NoSpace.class : null;
    Buffer buffer;
    try {
      buffer = buffers.allocator.reserve(request);
    } catch (BufferFailure e) {
      expectEqual(e.getClass(), refusal);
      return;
    }
    expectEqual(null, refusal);
    expectEqual(buffer.offset(), (long) offset);
    expectEqual(buffer.spaceBytes(), (long) space);
    model.own(++lastNumber, offset, space);
    Live added = new Live(buffer);
    live.add(added);
    expectEqual(buffer.oneWaySpam(), request.oneWay() && isSpam(request.senderId()));
    expectEqual(buffer.hasPages(), model.isResident(offset, space));
    if (buffer.hasPages()) {
      begin(buffers, added);
    }
  }

  private int oneWayUsed() {
    return live.stream().filter(each -> each.buffer.oneWay()).mapToInt(Live::space).sum();
  }

  private int oneWayLimit() {
    return pages * pageSize / 2;
  }

  private boolean isSpam(long sender) {
    int[] spaces =
        live.stream()
            .filter(each -> each.buffer.oneWay() && each.buffer.senderId() == sender)
            .mapToInt(Live::space)
            .toArray();
    boolean littleIsLeft = oneWayLimit() - oneWayUsed() < oneWayLimit() / 10.0;
    return littleIsLeft
        && (spaces.length > 50 || Arrays.stream(spaces).sum() > pages * pageSize / 4);
  }

  /** A buffer has got its pages: it holds what lay there, and is filled. */
  private void begin(TestBuffers buffers, Live begun) {
    model.use(begun.offset(), begun.space());
    begun.hasPages = true;
    compareBytes(buffers, begun);
    byte[] bytes = new byte[Math.toIntExact(begun.buffer.size())];
    random.nextBytes(bytes);
    buffers.range.write(begun.offset(), ByteBuffer.wrap(bytes));
    System.arraycopy(bytes, 0, model.bytes, begun.offset(), bytes.length);
  }

  /** Takes a buffer to its next state. */
  private void forward(TestBuffers buffers, Live some) {
    if (some.state == Buffer.State.CLEARING) {
      last = "finish " + some.buffer;
      buffers.allocator.finishFree(some.buffer);
      endCleared(some);
    } else if (some.state == Buffer.State.BUILDING && random.nextInt(5) == 0) {
      last = "abandon " + some.buffer;
      buffers.abandon(some.buffer);
      if (some.buffer.clearOnFree() && some.hasPages) {
        endCleared(some);
      } else {
        end(some);
      }
    } else if (some.state == Buffer.State.BUILDING && !some.hasPages) {
      last = "gain " + some.buffer;
      var _ = buffers.range.useRange(some.buffer.pages());
      buffers.allocator.gainedPages(some.buffer);
      begin(buffers, some);
    } else if (some.state == Buffer.State.BUILDING) {
      last = "deliver " + some.buffer;
      buffers.allocator.deliver(some.buffer);
      some.state = Buffer.State.DELIVERED;
    }
  }

  private void endCleared(Live some) {
    Arrays.fill(model.bytes, some.offset(), some.offset() + some.space(), (byte) 0);
    end(some);
  }

  private void end(Live some) {
    model.end(some.offset(), some.space());
    live.remove(some);
  }

  private void free(TestBuffers buffers, Live some) {
    last = "free " + some.buffer + " " + some.state + " pins " + some.pins;
    Class<?> refusal =
        switch (some.state) {
          case BUILDING -> BufferFailure.Busy.class;
          case DELIVERED -> some.pins > 0 ? BufferFailure.Busy.class : null;
          default -> BufferFailure.NotABuffer.class;
        };
    Buffer toClear;
    try {
      toClear = buffers.allocator.beginFree(some.offset());
    } catch (BufferFailure e) {
      expectEqual(e.getClass(), refusal);
      return;
    }
    expectEqual(null, refusal);
    expectEqual(toClear, some.buffer.clearOnFree() ? some.buffer : null);
    if (toClear != null) {
      some.state = Buffer.State.CLEARING;
    } else {
      end(some);
    }
  }

  private void freeElsewhere(TestBuffers buffers) {
    long offset = random.nextLong(-8, (long) pages * pageSize + 8);
    last = "free at " + offset;
    if (live.stream().noneMatch(each -> each.offset() == offset)) {
      try {
        buffers.allocator.free(offset);
        throw failure("freed");
      } catch (BufferFailure.NotABuffer e) {
        // As it should be.
      }
    }
  }

  private void pin(TestBuffers buffers) {
    int offset = random.nextInt(pages * pageSize);
    int length = random.nextInt(random.nextInt(2) == 0 ? 9 : pageSize);
    last = "pin " + length + " at " + offset;
    Live expected =
        live.stream()
            .filter(each -> each.state == Buffer.State.DELIVERED)
            .filter(each -> each.offset() <= offset)
            .filter(each -> offset + length <= each.offset() + each.buffer.size())
            .max(Comparator.comparingInt(Live::offset))
            .orElse(null);
    Buffer pinned;
    try {
      pinned = buffers.allocator.pin(offset, length);
    } catch (BufferFailure.NotABuffer e) {
      expectEqual(expected, null);
      return;
    }
    if (expected == null || expected.buffer != pinned) {
      throw failure("pinned " + pinned);
    }
    expected.pins++;
  }

  private void unpin(TestBuffers buffers, Live some) {
    if (some.pins > 0) {
      last = "unpin " + some.buffer;
      buffers.allocator.unpin(some.buffer);
      some.pins--;
    }
  }

  private void compare(TestBuffers buffers) {
    PageState[] states = buffers.range.states(0, pages);
    if (!Arrays.equals(states, model.states)) {
      throw failure(Arrays.toString(states) + ", not " + Arrays.toString(model.states));
    }
    expectEqual(buffers.shrinker.count(), (long) model.available());
    BufferTotals totals = buffers.allocator.totals();
    expectEqual(totals.freeBytes(), (long) model.freeBytes());
    expectEqual(totals.largestGap(), (long) model.largestGap());
    expectEqual(totals.oneWayUsedBytes(), (long) oneWayUsed());
    expectEqual(totals.oneWayLimitBytes(), (long) oneWayLimit());
    Map<Buffer.State, Integer> counts = new HashMap<>();
    live.forEach(each -> counts.merge(each.state, 1, Integer::sum));
    expectEqual(totals.buildingBuffers(), counts.getOrDefault(Buffer.State.BUILDING, 0));
    expectEqual(totals.deliveredBuffers(), counts.getOrDefault(Buffer.State.DELIVERED, 0));
    expectEqual(totals.clearingBuffers(), counts.getOrDefault(Buffer.State.CLEARING, 0));
    try {
      buffers.allocator.checkInvariants();
    } catch (IllegalStateException e) {
      throw failure(e.getMessage());
    }
  }

  private void compareAllBytes(TestBuffers buffers) {
    for (Live each : live) {
      if (each.hasPages) {
        compareBytes(buffers, each);
      }
    }
  }

  private void compareBytes(TestBuffers buffers, Live some) {
    byte[] bytes = buffers.bytesOf(some.buffer);
    int end = some.offset() + some.space();
    int mismatch = Arrays.mismatch(bytes, 0, bytes.length, model.bytes, some.offset(), end);
    if (mismatch >= 0) {
      throw failure("byte " + (some.offset() + mismatch) + " differs");
    }
  }

  private void expectEqual(@Nullable Object actual, @Nullable Object right) {
    if (actual == null ? right != null : !actual.equals(right)) {
      throw failure(actual + ", not " + right);
    }
  }

  private AssertionError failure(@Nullable String what) {
    return new AssertionError("seed %d, step %d (%s): %s".formatted(seed, step, last, what));
  }
}
