package dev.pagetide.client;

import dev.pagetide.server.page.RangeUnderTest;
import dev.pagetide.server.page.Refused;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.shm.PageState;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** One session as the client library shows it, through one range or through several by turns. */
final class WireRange implements RangeUnderTest {
  private final PagetideClient owner;
  private final List<PageRange> faces;
  private final ShrinkablePageRange core;
  private final Runnable awaitEnd;
  private final AtomicInteger turn = new AtomicInteger();

  /**
   * A session that was just opened.
   *
   * @param owner the client that opened it and nothing else
   * @param faces the range that was opened, and those attached to it
   * @param core what lies beneath in the server
   * @param awaitEnd returns once the server is rid of the session
   */
  WireRange(
      PagetideClient owner, List<PageRange> faces, ShrinkablePageRange core, Runnable awaitEnd) {
    this.owner = owner;
    this.faces = List.copyOf(faces);
    this.core = core;
    this.awaitEnd = awaitEnd;
  }

  ShrinkablePageRange core() {
    return core;
  }

  @Override
  public boolean nextUsesByMapping() {
    return faces.get(Math.floorMod(turn.get(), faces.size())).access() == RangeAccess.SHARED;
  }

  private PageRange next() {
    return faces.get(Math.floorMod(turn.getAndIncrement(), faces.size()));
  }

  /** Runs a verb of the library. */
  static <T> T told(Supplier<T> verb) {
    try {
      return verb.get();
    } catch (PagetideException e) {
      throw e.reason().isPresent() ? refused(e.reason().orElseThrow(), e) : lost(e);
    } catch (IllegalArgumentException e) {
      // A negative number, which the library refuses by itself.
      throw new Refused(Refused.Why.PAST_END, e);
    }
  }

  private static RuntimeException refused(ErrorReason reason, PagetideException e) {
    return switch (reason) {
      case SIZE_INVALID -> new Refused(Refused.Why.SIZE_INVALID, e);
      case PAST_END -> new Refused(Refused.Why.PAST_END, e);
      case PAGE_NOT_USED -> new Refused(Refused.Why.NOT_USED, e);
      case NO_MEMORY -> new Refused(Refused.Why.NO_MEMORY, e);
      case SESSION_ENDED, UNKNOWN_SESSION -> new Refused(Refused.Why.ENDED, e);
      default -> e;
    };
  }

  /** A call that was under way when its own client cut the connection. */
  private static RuntimeException lost(PagetideException e) {
    return e.code() == StatusCode.UNAVAILABLE || e.code() == StatusCode.CANCELLED
        ? new Refused(Refused.Why.ENDED, e)
        : e;
  }

  private static void told(Runnable verb) {
    told(() -> {
      verb.run();
      return true;
    });
  }

  private static List<PageInterval> list(int... spans) {
    List<PageInterval> list = new ArrayList<>();
    for (int i = 0; i < spans.length; i += 2) {
      list.add(new PageInterval(spans[i], spans[i + 1]));
    }
    return list;
  }

  @Override
  public int pageCount() {
    return next().pageCount();
  }

  /** One span goes the way of one span. */
  @Override
  public BitSet use(int... spans) {
    PageRange face = next();
    FreshPages fresh =
        told(() ->
            spans.length == 2 ? face.useRange(spans[0], spans[1]) : face.useRange(list(spans)));
    BitSet pages = new BitSet();
    fresh.intervals().forEach(interval -> pages.set(interval.startPage(), interval.endPage()));
    return pages;
  }

  @Override
  public void stop(int... spans) {
    PageRange face = next();
    told(() -> {
      if (spans.length == 2) {
        face.stopUsingRange(spans[0], spans[1]);
      } else {
        face.stopUsingRange(list(spans));
      }
    });
  }

  @Override
  public void write(long offset, byte[] bytes) {
    PageRange face = next();
    told(() -> face.write(offset, bytes));
  }

  @Override
  public void fillZero(long offset, long length) {
    PageRange face = next();
    told(() -> face.fillZero(offset, length));
  }

  @Override
  public byte[] read(long offset, int length) {
    PageRange face = next();
    return told(() -> face.read(offset, length));
  }

  @Override
  public PageState[] states() {
    PageRange face = next();
    RangeDescription description = told(face::describe);
    PageState[] states = new PageState[face.pageCount()];
    for (PageRun run : description.runs()) {
      for (int page = run.pages().startPage(); page < run.pages().endPage(); page++) {
        states[page] = run.state();
      }
    }
    return states;
  }

  /** Cuts the connection, as the kernel does for a client that dies. */
  @Override
  public void vanish() {
    owner.close();
    awaitEnd.run();
  }

  @Override
  public void close() {
    faces.getFirst().close();
    awaitEnd.run();
    owner.close();
  }
}
