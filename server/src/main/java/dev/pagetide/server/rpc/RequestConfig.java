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
 * @param oneUid whether only one uid can connect; then that may have all that is in flight, and
 *     otherwise half
 * @param requestWait how long a request, and the beginning of a connection, may take to arrive:
 *     {@code --request-wait}
 * @param idleWait how long a connection may stay without a call: {@code --idle-wait}
 */
public record RequestConfig(
    int maxDataBytes,
    int maxRequestsInFlight,
    long maxRequestBytesInFlight,
    Duration allocationWait,
    boolean oneUid,
    Duration requestWait,
    Duration idleWait) {
  /**
   * Room for what the server receives of a message besides its data. It is more than twice the size
   * of the largest UseRange, which is 56 KiB, so that a request with one span too many reaches our
   * code, which refuses it with a sentence. Otherwise gRPC would refuse it.
   */
  static final int RECEIVED_OVERHEAD_BYTES = 256 * 1024;
}
