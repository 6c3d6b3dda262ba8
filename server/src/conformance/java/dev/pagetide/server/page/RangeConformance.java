package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.shm.PageState;
import java.util.Arrays;
import java.util.BitSet;
import java.util.function.Function;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;

/**
 * What every theme of the conformance suite has in common: one server a test, whose invariants are
 * checked when the test has ended, and which must have all memory back when its ranges are closed.
 *
 * <p>A theme's tests hold for every kind of range, and so take no look at a clock, at counters of
 * uses and stops (a client that has mapped its range does these alone), and at messages.
 */
public abstract class RangeConformance {
  static final int PAGE = Memfd.systemPageSize();

  /** What makes the files of {@link #failing} fail. */
  final FailingPageFile.Script script = new FailingPageFile.Script();

  private final Function<ServerTerms, ? extends ServerInside> servers;
  private @Nullable ServerInside server;

  RangeConformance(Function<ServerTerms, ? extends ServerInside> servers) {
    this.servers = servers;
  }

  /** The test's server; with plenty of memory if it has not been started before. */
  final ServerInside server() {
    ServerInside running = server;
    return running == null ? start(ServerTerms.PLENTY) : running;
  }

  final ServerInside start(ServerTerms terms) {
    assertThat(server).isNull();
    ServerInside started = servers.apply(terms);
    server = started;
    return started;
  }

  /** Terms with files that fail as {@link #script} says. */
  final ServerTerms failing() {
    return ServerTerms.PLENTY.withFiles(
        (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));
  }

  final RangeUnderTest open(int pages) {
    return server().open((long) pages * PAGE);
  }

  final ShrinkablePageRange core(RangeUnderTest range) {
    return server().core(range);
  }

  /**
   * What must hold while nothing runs: the counts add up, and all records agree with the kernel.
   */
  final void checkInvariants() {
    Invariants.check(server().budget(), server().shrinker(), server().cores());
    assertThat(server().count()).isEqualTo(server().shrinker().count());
  }

  @AfterEach
  final void endServer() {
    ServerInside ending = server;
    if (ending == null) {
      return;
    }
    script.failNone();
    script.beforeEach(() -> {});
    try (ending) {
      checkInvariants();
      ending.closeRanges();
      checkInvariants();
      assertThat(ending.budget().chargedPages()).isZero();
      assertThat(ending.shrinker().counts()).isEqualTo(new PageCounts(0, 0, 0, 0));
    }
  }

  /** The states of all pages, one letter each: F, A, U. */
  static String map(RangeUnderTest range) {
    StringBuilder map = new StringBuilder();
    for (PageState state : range.states()) {
      map.append(state.name().charAt(0));
    }
    return map.toString();
  }

  /** A set of pages, from a start and an end for each span. */
  static BitSet pages(int... spans) {
    BitSet pages = new BitSet();
    for (int i = 0; i < spans.length; i += 2) {
      pages.set(spans[i], spans[i + 1]);
    }
    return pages;
  }

  /** The page words as they are in the file, stamps included. */
  final long[] words(RangeUnderTest range) {
    long[] words = new long[range.pageCount()];
    for (int page = 0; page < words.length; page++) {
      words[page] = core(range).table().wordAcquire(page);
    }
    return words;
  }

  /** Fills whole pages, which have to be USED, with one byte. */
  static void fill(RangeUnderTest range, int startPage, int endPage, int value) {
    byte[] bytes = new byte[(endPage - startPage) * PAGE];
    Arrays.fill(bytes, (byte) value);
    range.write((long) startPage * PAGE, bytes);
  }

  /** The bytes of whole pages, which have to be USED. */
  static byte[] bytes(RangeUnderTest range, int startPage, int endPage) {
    return range.read((long) startPage * PAGE, (endPage - startPage) * PAGE);
  }

  /** Asserts that whole pages, which have to be USED, are full of one byte. */
  static void expectBytes(RangeUnderTest range, int startPage, int endPage, int value) {
    byte[] bytes = bytes(range, startPage, endPage);
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] != value) {
        throw new AssertionError(
            "byte %d of pages [%d, %d) is %d, not %d"
                .formatted(i, startPage, endPage, bytes[i], value));
      }
    }
  }

  /**
   * Makes FREE pages be what a map says: F, A, U. Those that get memory are full of {@code value},
   * and all A are stopped by one call.
   */
  static void bring(RangeUnderTest range, String map, int value) {
    for (int page = 0; page < map.length(); page++) {
      if (map.charAt(page) != 'F') {
        range.use(page, page + 1);
        fill(range, page, page + 1, value);
      }
    }
    range.stop(spansOf(map, 'A'));
    assertThat(map(range)).isEqualTo(map);
  }

  private static int[] spansOf(String map, char letter) {
    int count = (int) map.chars().filter(each -> each == letter).count();
    int[] spans = new int[2 * count];
    int at = 0;
    for (int page = 0; page < map.length(); page++) {
      if (map.charAt(page) == letter) {
        spans[at++] = page;
        spans[at++] = page + 1;
      }
    }
    return spans;
  }

  static void assertRefused(Refused.Why why, ThrowingCallable verb) {
    assertThat(catchThrowable(verb))
        .isInstanceOfSatisfying(Refused.class, refused -> assertThat(refused.why()).isEqualTo(why));
  }
}
