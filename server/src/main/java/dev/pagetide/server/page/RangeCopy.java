package dev.pagetide.server.page;

/** The one copy of bytes from a range's pages into another's, or to another place in its own. */
public final class RangeCopy {
  private RangeCopy() {}

  /**
   * Copies bytes of USED pages into USED pages of a BUFFERS range. Whoever calls sees to it that
   * the target's pages stay USED meanwhile, and those of a source in that mode; if a PAGES source's
   * do not, the target gets old bytes or zeros.
   *
   * @param sourceOffset bytes from the start of the source, unsigned
   * @param targetOffset bytes from the start of the target
   * @throws PageFailure.PastEnd if the source has not that many bytes
   * @throws PageFailure.NotUsed if a byte's page is not USED in the source; nothing was copied
   * @throws PageFailure.Closed if one of them is closing
   */
  public static void copy(
      ShrinkablePageRange source,
      long sourceOffset,
      ShrinkablePageRange target,
      long targetOffset,
      long length) {
    if (target.mode() != RangeMode.BUFFERS) {
      throw new IllegalArgumentException(target + " is not a BUFFERS range");
    }
    boolean kept = source.mode() == RangeMode.BUFFERS;
    source.copies().copyTo(sourceOffset, target.copies(), targetOffset, length, kept);
  }
}
