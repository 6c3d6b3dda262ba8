package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the server should do, in its simplest form: arrays of three-valued states, the bytes, and
 * when each page was stopped.
 */
final class ServerModel {
  /** Requests a mapped use makes before it asks for everything. */
  private static final int MAPPED_ROUNDS = 16;

  private final int pageSize;
  private final long limit;
  private long charged;
  private long now;
  final List<Range> ranges = new ArrayList<>();

  /**
   * An empty server.
   *
   * @param limit the budget in pages, bookkeeping included: of the server, and of each range
   */
  ServerModel(int pageSize, long limit) {
    this.pageSize = pageSize;
    this.limit = limit;
  }

  /** One range of the model. */
  final class Range {
    final PageState[] states;
    final byte[] bytes;
    final long[] stopped;
    private final BitSet doubtful = new BitSet();
    private long own;

    Range(int pages, int bookkeepingPages) {
      states = new PageState[pages];
      Arrays.fill(states, PageState.FREE);
      bytes = new byte[pages * pageSize];
      stopped = new long[pages];
      charge(bookkeepingPages);
      ranges.add(this);
    }

    private void charge(long pages) {
      own += pages;
      charged += pages;
    }

    /** A page that is not FREE, and its neighbours up to those that are. */
    BitSet residentAround(int page) {
      int start = page;
      while (start > 0 && states[start - 1] != PageState.FREE) {
        start--;
      }
      int end = page + 1;
      while (end < states.length && states[end] != PageState.FREE) {
        end++;
      }
      BitSet pages = new BitSet();
      pages.set(start, end);
      return pages;
    }

    /** An AVAILABLE page was reclaimed. */
    void lose(int page) {
      states[page] = PageState.FREE;
      charge(-1);
      Arrays.fill(bytes, page * pageSize, (page + 1) * pageSize, (byte) 0);
    }

    /** A FREE page was given memory, and is USED. */
    void gain(int page) {
      states[page] = PageState.USED;
      charge(1);
    }

    /** Uses pages; the fresh ones, or empty if there is no memory. Reclaims as the server does. */
    Optional<BitSet> use(BitSet pages) {
      BitSet given = new BitSet();
      while (true) {
        BitSet absent = (BitSet) pages.clone();
        absent.andNot(given);
        absent.stream().filter(page -> states[page] != PageState.FREE).forEach(absent::clear);
        if (absent.isEmpty()) {
          pages.stream().forEach(page -> states[page] = PageState.USED);
          return Optional.of(given);
        }
        if (!reserve(this, absent.cardinality())) {
          charge(-given.cardinality());
          return Optional.empty();
        }
        given.or(absent);
      }
    }

    /**
     * As {@link #use}, by a client that has the file mapped: it asks for what is absent, takes the
     * rest when it has all of that, and after a refusal stops what it was given, to report it as
     * fresh another time.
     */
    Optional<BitSet> useByMapping(BitSet pages) {
      BitSet fresh = new BitSet();
      for (int round = 0; round <= MAPPED_ROUNDS; round++) {
        BitSet asked = (BitSet) pages.clone();
        if (round < MAPPED_ROUNDS) {
          asked.stream().filter(page -> states[page] != PageState.FREE).forEach(asked::clear);
        }
        Optional<BitSet> given = asked.isEmpty() ? Optional.of(asked) : use(asked);
        if (given.isEmpty()) {
          stop(fresh);
          doubtful.or(fresh);
          return given;
        }
        fresh.or(given.orElseThrow());
        if (asked.isEmpty()) {
          break;
        }
      }
      pages.stream().forEach(page -> states[page] = PageState.USED);
      BitSet told = (BitSet) doubtful.clone();
      told.and(pages);
      doubtful.andNot(pages);
      told.or(fresh);
      return Optional.of(told);
    }

    void stop(BitSet pages) {
      now++;
      pages.stream()
          .filter(page -> states[page] == PageState.USED)
          .forEach(page -> {
            states[page] = PageState.AVAILABLE;
            stopped[page] = now;
          });
    }

    boolean isUsed(int offset, int length) {
      for (int page = offset / pageSize; page * pageSize < offset + length; page++) {
        if (length > 0 && states[page] != PageState.USED) {
          return false;
        }
      }
      return true;
    }
  }

  /** Reclaims what is missing; a range's own limit is no narrower, so it is never in the way. */
  private boolean reserve(Range range, int pages) {
    while (charged + pages > limit) {
      if (pages > limit || scanFairly(pages - (limit - charged)) == 0) {
        return false;
      }
    }
    range.charge(pages);
    return true;
  }

  /** Those above their share pay first, oldest first, down to it; then all. */
  private long scanFairly(long pages) {
    long share = limit / ranges.size();
    long taken = 0;
    while (taken < pages) {
      List<Range> above = ranges.stream().filter(range -> range.own > share).toList();
      if (scan(1, above) == 0) {
        break;
      }
      taken++;
    }
    return taken + scan(pages - taken, ranges);
  }

  /** An AVAILABLE page: the range's index, and when the page was stopped. */
  record Place(int range, int page, long stopped) {}

  /** The page that goes first; null if none is AVAILABLE. */
  @Nullable Place oldest() {
    List<Place> oldest = oldest(1, ranges);
    return oldest.isEmpty() ? null : oldest.getFirst();
  }

  long scan(long pages) {
    return scan(pages, ranges);
  }

  /** A scan that can take from some ranges only. */
  long scan(long pages, List<Range> scope) {
    List<Place> oldest = oldest(pages, scope);
    for (Place place : oldest) {
      ranges.get(place.range()).lose(place.page());
    }
    return oldest.size();
  }

  private List<Place> oldest(long pages, List<Range> scope) {
    List<Place> available = new ArrayList<>();
    for (int range = 0; range < ranges.size(); range++) {
      for (int page = 0; page < ranges.get(range).states.length; page++) {
        if (scope.contains(ranges.get(range))
            && ranges.get(range).states[page] == PageState.AVAILABLE) {
          available.add(new Place(range, page, ranges.get(range).stopped[page]));
        }
      }
    }
    available.sort(
        Comparator.comparingLong(Place::stopped)
            .thenComparing(Place::page, Comparator.reverseOrder()));
    return available.subList(0, (int) Math.min(pages, available.size()));
  }

  long count() {
    return ranges.stream()
        .flatMap(range -> Arrays.stream(range.states))
        .filter(state -> state == PageState.AVAILABLE)
        .count();
  }
}
