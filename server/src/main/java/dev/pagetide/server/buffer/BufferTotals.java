package dev.pagetide.server.buffer;

/**
 * How one range's bytes are spent, at one moment. Bytes are those of the space, not those asked
 * for: building, delivered, clearing and free ones are the range's size.
 *
 * @param buildingBuffers buffers that are being filled, or wait for their pages
 * @param deliveredBuffers buffers that the client has and may free
 * @param clearingBuffers buffers whose bytes are being zeroed before they are gone
 * @param largestGap the largest buffer that would fit, were it not one-way
 * @param oneWayUsedBytes what live one-way buffers are charged
 * @param oneWayLimitBytes the most they may be charged
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
  /** Those of no range: what sums begin with. */
  public static final BufferTotals NONE =
      new BufferTotals(0, 0, 0, 0, 0, 0, 0, Long.MAX_VALUE, 0, 0);

  /** The sums; of largest gaps, the smaller one: that of the range that is worst off. */
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
