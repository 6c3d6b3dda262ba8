package dev.pagetide.server.rpc;

import java.time.Duration;

/**
 * What one request, and all of them together, may cost the server.
 *
 * @param maxDataBytes most bytes of data in one Read or Write: {@code --max-data-bytes}
 * @param maxRequestsInFlight {@code --max-requests-in-flight}
 * @param maxRequestBytesInFlight {@code --max-request-bytes-in-flight}
 * @param allocationWait how long a use or an opening waits for memory at most: {@code
 *     --allocation-wait}
 */
public record RequestConfig(
    int maxDataBytes,
    int maxRequestsInFlight,
    long maxRequestBytesInFlight,
    Duration allocationWait) {
  /** Most spans in one request. A constant of the contract. */
  static final int MAX_SPANS = 4096;

  /**
   * Most runs in the answer to one GetRange: about a MiB. A constant of the contract, so that an
   * answer takes as much heap as a large Read's, however large the range and however often its
   * pages alternate.
   */
  static final int MAX_RUNS = 65_536;

  /**
   * Room for what is in a message besides its data: more than twice what the most spans take, so
   * that one too many is refused by us, with a sentence.
   */
  static final int MESSAGE_OVERHEAD_BYTES = 256 * 1024;
}
