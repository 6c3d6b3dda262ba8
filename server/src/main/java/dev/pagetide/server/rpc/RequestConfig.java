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
  /**
   * What is received of a message besides its data. It is more than the largest UseRange has, which
   * is 56 KiB: so one with a span too many is refused by the server, with a sentence, and not by
   * gRPC.
   */
  static final int RECEIVED_OVERHEAD_BYTES = 256 * 1024;
}
