package dev.pagetide.server.page;

/** The only code that copies bytes from a range's pages to another range, or within one range. */
public final class RangeCopy {
  private RangeCopy() {}

  /**
   * Copies bytes of USED pages into USED pages of a BUFFERS range. The caller makes sure that the
   * target's pages stay USED meanwhile, and so do the source's if the source is a BUFFERS range,
   * too. If pages of a PAGES source do not stay USED, the target gets old bytes or zeros.
   *
   * @param sourceOffset bytes from the start of the source, unsigned
   * @param targetOffset bytes from the start of the target
   * @throws PageFailure.PastEnd if the source does not have that many bytes
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
