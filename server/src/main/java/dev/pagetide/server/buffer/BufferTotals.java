package dev.pagetide.server.buffer;

/**
 * What one range's bytes are used for, at one moment. Bytes are those of the space, not those
 * requested; the sum of the building, delivered, clearing and free ones is the range's size.
 *
 * @param buildingBuffers buffers that are being filled, or wait for their pages
 * @param deliveredBuffers buffers that the client has and may free
 * @param clearingBuffers buffers whose bytes are being zeroed before they are gone
 * @param largestGap the largest buffer that would fit if it were not one-way
 * @param oneWayUsedBytes the bytes that are charged for live one-way buffers
 * @param oneWayLimitBytes the most bytes that may be charged for them
 */
public record BufferTotals(
    int buildingBuffers,
    long buildingBytes,
    int deliveredBuffers,
    long deliveredBytes,
    int clearingBuffers,
    long clearingBytes,
    long freeBytes,
    long largestGap,
    long oneWayUsedBytes,
    long oneWayLimitBytes) {
  /** The totals of no range, with which sums begin. */
  public static final BufferTotals NONE =
      new BufferTotals(0, 0, 0, 0, 0, 0, 0, Long.MAX_VALUE, 0, 0);

  /** The sums; of the two largest gaps the smaller one, because that range has the least left. */
  public BufferTotals plus(BufferTotals other) {
    return new BufferTotals(
        buildingBuffers + other.buildingBuffers,
        buildingBytes + other.buildingBytes,
        deliveredBuffers + other.deliveredBuffers,
        deliveredBytes + other.deliveredBytes,
        clearingBuffers + other.clearingBuffers,
        clearingBytes + other.clearingBytes,
        freeBytes + other.freeBytes,
        Math.min(largestGap, other.largestGap),
        oneWayUsedBytes + other.oneWayUsedBytes,
        oneWayLimitBytes + other.oneWayLimitBytes);
  }
}
