package dev.pagetide.server.rpc;

import java.time.Duration;

/**
 * The limits of one request, and of all requests together.
 *
 * @param maxDataBytes most bytes of data in one Read or Write: {@code --max-data-bytes}
 * @param maxRequestsInFlight {@code --max-requests-in-flight}
 * @param maxRequestBytesInFlight {@code --max-request-bytes-in-flight}
 * @param allocationWait the longest time that a UseRange or OpenRange waits for memory: {@code
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
   * Most runs in the answer to one GetRange: about a MiB. A constant of the contract. It limits the
   * heap of an answer to that of a large Read's, however large the range is and however often its
   * pages alternate.
   */
  static final int MAX_RUNS = 65_536;

  /**
   * Room for the parts of a message besides its data. It is more than twice the size of MAX_SPANS
   * spans, so that a request with one span too many reaches our code, which refuses it with a
   * sentence.
   */
  static final int MESSAGE_OVERHEAD_BYTES = 256 * 1024;
}
