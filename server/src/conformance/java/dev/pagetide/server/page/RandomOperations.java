package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import dev.pagetide.shm.SharedFileLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.LongFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Random operations on a server and on its model, compared after every step: states of what it may
 * have touched, counts, freshness, the bytes of touched pages, and with them which pages were
 * reclaimed. All bytes every 500 steps.
 */
public final class RandomOperations {
  private static final int STEPS_BETWEEN_WHOLE_LOOKS = 500;

  private final Random random;
  private final long seed;
  private final RangeUnderTest.Server server;
  private final ServerModel model;
  private final List<RangeUnderTest> ranges = new ArrayList<>();
  private final int pageSize;

  /** What is done in the middle of punches; null: nothing. */
  private final @Nullable InThePunch inThePunch;

  private long step;
  private String last = "open";

  /**
   * One to three ranges, and a budget that now and then is spent.
   *
   * @param newServer a server with a budget of so many pages, bookkeeping included
   */
  public RandomOperations(
      long seed, int pageSize, LongFunction<? extends RangeUnderTest.Server> newServer) {
    this(seed, pageSize, newServer, null);
  }

  /**
   * As above, and in the middle of some punches there is a scan, a use, or a use that is refused.
   *
   * @param newServer a server with such a budget, whose files do what the script says
   */
  static RandomOperations withOthersInThePunches(
      long seed,
      int pageSize,
      LongFunction<? extends ServerInside> newServer,
      FailingPageFile.Script script) {
    return new RandomOperations(seed, pageSize, newServer, script);
  }

  private RandomOperations(
      long seed,
      int pageSize,
      LongFunction<? extends RangeUnderTest.Server> newServer,
      FailingPageFile.@Nullable Script script) {
    this.seed = seed;
    this.random = new Random(seed);
    this.pageSize = pageSize;
    int count = 1 + random.nextInt(3);
    int[] pages = new int[count];
    long bookkeeping = 0;
    long data = 0;
    for (int i = 0; i < count; i++) {
      pages[i] = 1 + random.nextInt(24);
      data += pages[i];
      bookkeeping += SharedFileLayout.of(pageSize, pages[i]).bookkeepingPages();
    }
    long limit = bookkeeping + Math.max(1, random.nextLong(2 * data));
    this.server = newServer.apply(limit);
    this.model = new ServerModel(pageSize, limit);
    for (int size : pages) {
      ranges.add(server.open((long) size * pageSize));
      ServerModel.Range unused =
          model.new Range(size, SharedFileLayout.of(pageSize, size).bookkeepingPages());
      expect(unused.states.length == size, "opened");
    }
    this.inThePunch =
        script == null
            ? null
            : new InThePunch((ServerInside) server, model, ranges, script, this::expect);
  }

  /** Runs so many steps, and closes the server. */
  public void run(long steps) {
    try (server) {
      for (step = 0; step < steps; step++) {
        int index = random.nextInt(ranges.size());
        boolean mayReclaim = step(ranges.get(index), model.ranges.get(index));
        compare(mayReclaim ? IntStream.range(0, ranges.size()) : IntStream.of(index));
        if (step % STEPS_BETWEEN_WHOLE_LOOKS == 0) {
          compareAllBytes();
        }
      }
      compareAllBytes();
    }
  }

  /** Does one operation; whether it is one that may reclaim, from whichever range. */
  private boolean step(RangeUnderTest range, ServerModel.Range expected) {
    int kind = random.nextInt(100);
    if (kind < 30) {
      BitSet pages = somePages(range.pageCount());
      last = "use " + pages;
      boolean byMapping = range.nextUsesByMapping();
      Optional<BitSet> fresh = use(range, pages);
      Optional<BitSet> right = byMapping ? expected.useByMapping(pages) : expected.use(pages);
      expect(fresh.equals(right), "fresh " + fresh + ", not " + right);
      if (fresh.isPresent()) {
        pages.stream().forEach(page -> compareBytes(range, expected, page * pageSize, pageSize));
      }
      return true;
    } else if (kind < 55) {
      BitSet pages = somePages(range.pageCount());
      last = "stop " + pages;
      range.stop(spans(pages));
      expected.stop(pages);
    } else if (kind < 72) {
      int offset = someOffset(range);
      byte[] bytes = new byte[someLength(range, offset)];
      random.nextBytes(bytes);
      last = "write " + bytes.length + " at " + offset;
      boolean written = usedFor(() -> range.write(offset, bytes));
      expect(written == expected.isUsed(offset, bytes.length), "written " + written);
      if (written) {
        System.arraycopy(bytes, 0, expected.bytes, offset, bytes.length);
        compareBytes(range, expected, offset, bytes.length);
      }
    } else if (kind < 78) {
      int offset = someOffset(range);
      int length = someLength(range, offset);
      last = "zero " + length + " at " + offset;
      boolean zeroed = usedFor(() -> range.fillZero(offset, length));
      expect(zeroed == expected.isUsed(offset, length), "zeroed " + zeroed);
      if (zeroed) {
        Arrays.fill(expected.bytes, offset, offset + length, (byte) 0);
        compareBytes(range, expected, offset, length);
      }
    } else if (kind < 85) {
      int offset = someOffset(range);
      int length = someLength(range, offset);
      last = "read " + length + " at " + offset;
      Optional<byte[]> bytes = read(range, offset, length);
      expect(bytes.isPresent() == expected.isUsed(offset, length), "read " + bytes.isPresent());
      bytes.ifPresent(read -> compareBytes(read, expected, offset));
    } else if (inThePunch != null && kind < 89) {
      stepInThePunch(inThePunch);
      return true;
    } else {
      long pages = random.nextInt(4) == 0 ? random.nextInt(80) : random.nextInt(4);
      last = "scan " + pages;
      long reclaimed = server.scan(pages).reclaimed();
      long right = model.scan(pages);
      expect(reclaimed == right, "reclaimed " + reclaimed + ", not " + right);
      return true;
    }
    return false;
  }

  private void stepInThePunch(InThePunch others) {
    ServerModel.Place oldest = model.oldest();
    if (oldest == null) {
      last = "scan 1 of nothing";
      expect(server.scan(1).reclaimed() == 0, "reclaimed");
      return;
    }
    switch (random.nextInt(3)) {
      case 0 -> {
        int most = random.nextInt(20);
        last = "scan 1, and in its punch scan " + most;
        others.scan(oldest, most);
      }
      case 1 -> {
        BitSet pages = model.ranges.get(oldest.range()).residentAround(oldest.page());
        last = "scan 1, and in its punch a refused use of its neighbours " + pages;
        others.use(oldest, oldest.range(), pages, true);
      }
      default -> {
        int index = random.nextInt(ranges.size());
        BitSet pages = somePages(ranges.get(index).pageCount());
        boolean refused = random.nextBoolean();
        last = "scan 1, and in its punch use %s of %d, %b".formatted(pages, index, refused);
        others.use(oldest, index, pages, refused);
      }
    }
  }

  /** The fresh pages, or empty if there was no memory for all of them. */
  static Optional<BitSet> use(RangeUnderTest range, BitSet pages) {
    try {
      return Optional.of(range.use(spans(pages)));
    } catch (Refused e) {
      return only(Refused.Why.NO_MEMORY, e);
    }
  }

  /** The bytes, or empty if a page is not USED. */
  private static Optional<byte[]> read(RangeUnderTest range, long offset, int length) {
    try {
      return Optional.of(range.read(offset, length));
    } catch (Refused e) {
      return only(Refused.Why.NOT_USED, e);
    }
  }

  /** Whether all pages of a copy were USED. */
  private static boolean usedFor(Runnable copy) {
    try {
      copy.run();
      return true;
    } catch (Refused e) {
      return only(Refused.Why.NOT_USED, e).isPresent();
    }
  }

  private static <T> Optional<T> only(Refused.Why expected, Refused refused) {
    if (refused.why() != expected) {
      throw refused;
    }
    return Optional.empty();
  }

  /** A start and an end for each span. */
  static int[] spans(BitSet pages) {
    IntStream.Builder spans = IntStream.builder();
    int start = pages.nextSetBit(0);
    while (start >= 0) {
      int end = pages.nextClearBit(start);
      spans.add(start).add(end);
      start = pages.nextSetBit(end);
    }
    return spans.build().toArray();
  }

  /** Mostly one span, sometimes several or none. */
  private BitSet somePages(int pageCount) {
    BitSet pages = new BitSet();
    int spans = random.nextInt(10) == 0 ? random.nextInt(4) : 1;
    for (int i = 0; i < spans; i++) {
      int start = random.nextInt(pageCount);
      int length = 1 + random.nextInt(random.nextInt(4) == 0 ? pageCount : Math.min(4, pageCount));
      pages.set(start, Math.min(pageCount, start + length));
    }
    return pages;
  }

  private int someOffset(RangeUnderTest range) {
    int page = random.nextInt(range.pageCount());
    return switch (random.nextInt(3)) {
      case 0 -> page * pageSize;
      case 1 -> page * pageSize + pageSize - 1;
      default -> page * pageSize + random.nextInt(pageSize);
    };
  }

  private int someLength(RangeUnderTest range, int offset) {
    int most = range.pageCount() * pageSize - offset;
    int length = random.nextInt(20) == 0 ? random.nextInt(3 * pageSize) : random.nextInt(64);
    return Math.min(most, length);
  }

  private void compare(IntStream touched) {
    touched.forEach(i -> {
      PageState[] states = ranges.get(i).states();
      PageState[] right = model.ranges.get(i).states;
      if (!Arrays.equals(states, right)) {
        expect(false, "range " + i + ": " + map(states) + ", not " + map(right));
      }
    });
    long count = server.count();
    expect(count == model.count(), "count " + count);
    try {
      server.check();
    } catch (AssertionError e) {
      throw new AssertionError(where() + e.getMessage(), e);
    }
  }

  private void compareAllBytes() {
    for (int i = 0; i < ranges.size(); i++) {
      ServerModel.Range expected = model.ranges.get(i);
      for (int page = 0; page < expected.states.length; page++) {
        if (expected.states[page] == PageState.USED) {
          compareBytes(ranges.get(i), expected, page * pageSize, pageSize);
        }
      }
    }
  }

  private void compareBytes(
      RangeUnderTest range, ServerModel.Range expected, int offset, int length) {
    Optional<byte[]> bytes = read(range, offset, length);
    expect(bytes.isPresent(), "read refused at " + offset);
    compareBytes(bytes.orElseThrow(), expected, offset);
  }

  private void compareBytes(byte[] bytes, ServerModel.Range expected, int offset) {
    int mismatch =
        Arrays.mismatch(bytes, 0, bytes.length, expected.bytes, offset, offset + bytes.length);
    expect(mismatch < 0, "byte " + (offset + mismatch) + " differs");
  }

  private void expect(boolean holds, String message) {
    if (!holds) {
      throw new AssertionError(where() + message);
    }
  }

  private String where() {
    return "seed %d, step %d (%s): ".formatted(seed, step, last);
  }

  private static String map(PageState[] states) {
    StringBuilder map = new StringBuilder();
    for (PageState state : states) {
      map.append(state.name().charAt(0));
    }
    return map.toString();
  }
}
