package dev.pagetide.client;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A mapped range, cut into tiles of equal size: use, stop and the bytes of each. */
final class TilePages {

  private final PageRange range;
  private final SharedPages shared;
  private final RangeUses uses;
  private final int tilePages;
  private final int tileCount;

  TilePages(PageRange range, SharedPages shared, RangeUses uses, int tilePages) {
    this.range = range;
    this.shared = shared;
    this.uses = uses;
    this.tilePages = tilePages;
    this.tileCount = range.pageCount() / tilePages;
  }

  PageRange range() {
    return range;
  }

  int tileCount() {
    return tileCount;
  }

  long tileBytes() {
    return (long) tilePages * range.pageSize();
  }

  /**
   * Makes a tile's pages USED if all hold memory: the bytes they had, if the tile counts as filled.
   * If it answers false some may be USED all the same, until {@link #stop}.
   */
  boolean tryUse(int tile) {
    if (range.failure() != null) {
      return false;
    }
    int end = (tile + 1) * tilePages;
    for (int start = tile * tilePages; start < end; start += SharedPages.MAX_WARM_PAGES) {
      if (shared.tryUse(start, Math.min(end, start + SharedPages.MAX_WARM_PAGES)) != null) {
        return false;
      }
    }
    return true;
  }

  /**
   * Makes a tile's pages USED, by asking the server if need be.
   *
   * @return whether some of them may have lost their bytes
   * @throws PagetideException as {@link PageRange#useRange(List)}; then some may be USED all the
   *     same, until {@link #stop}
   */
  boolean use(int tile) {
    int start = tile * tilePages;
    List<PageInterval> named = List.of(new PageInterval(start, start + tilePages));
    FreshPages fresh =
        Blocking.await(() ->
            range.ifOpen(() -> uses.start(named, null, RangeUses.Caller.CACHE, range.deadline())));
    return !fresh.isEmpty();
  }

  /** Makes a tile's pages AVAILABLE. */
  void stop(int tile) {
    int start = tile * tilePages;
    // The range is mapped, so the server is asked only if the mapping has ended: then it refuses.
    var _ = range.stopUnlessEnded(start, start + tilePages);
  }

  /** A tile's bytes, where they lie. */
  MemorySegment bytes(int tile) {
    int start = tile * tilePages;
    return shared.bytes(start, start + tilePages);
  }

  /** Whether a segment that is given out is to fail once its lease has ended. */
  boolean confinesSegments() {
    return shared.keepsFile();
  }

  /** A tile's bytes in a mapping of their own, where {@link #confinesSegments}. */
  MemorySegment mapAnew(int tile, Arena lifetime) {
    int start = tile * tilePages;
    return shared.mapAnew(start, start + tilePages, lifetime);
  }
}
