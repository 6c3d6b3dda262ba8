package dev.pagetide.server.config;

import dev.pagetide.server.directory.ServerDirectory;
import dev.pagetide.server.handoff.HandoffConfig;
import dev.pagetide.server.pressure.PressureMode;
import dev.pagetide.server.transaction.TransactionConfig;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The options with which one server runs. {@link OptionReader}, which alone makes them, has checked
 * all of them, against each other and against the host's limits.
 *
 * @param reach where clients, browsers and scrapers reach the server
 * @param memory how much memory ranges may hold, and how long a request waits for it
 * @param reclaim which memory the server takes back ahead of need
 * @param pressure what is done about the host's pressure
 * @param sessions how many sessions there may be, and how long a stopping server waits for them
 * @param connections how many connections there may be
 * @param requests what calls may cost at once
 * @param transactions what transactions may cost, and who may transact to whom
 * @param handoffs what connections to the hand-off socket may cost
 */
public record ServerOptions(
    Reach reach,
    Memory memory,
    Reclaim reclaim,
    PressureMode pressure,
    Sessions sessions,
    Connections connections,
    Requests requests,
    TransactionConfig transactions,
    HandoffConfig handoffs) {

  /**
   * Where the server is reached.
   *
   * @param directory absolute path of the directory of sockets and lock; see {@link
   *     ServerDirectory}
   * @param socketMode mode bits of the Unix sockets: 0600, 0660 or 0666 (octal)
   * @param socketGroup group of the Unix sockets, a name or a number; null: the group they are born
   *     with
   * @param listen loopback address of the TCP listener, port 0 for any free one; null: no TCP
   * @param http address of {@code /metrics} and the tide map, port 0 for any free one; null: off
   * @param httpWait how long an HTTP client may take to send a request, and to take its answer
   */
  public record Reach(
      Path directory,
      int socketMode,
      @Nullable String socketGroup,
      @Nullable InetSocketAddress listen,
      @Nullable InetSocketAddress http,
      Duration httpWait) {}

  /**
   * How much memory ranges may hold.
   *
   * @param budgetBytes most bytes of memory that all ranges together may hold
   * @param bytesPerUid most bytes that one uid's ranges may hold; at most {@code budgetBytes}
   * @param bytesPerSession most bytes that one range may hold; at most {@code bytesPerUid}
   * @param rangeBytes most bytes of pages that one session is granted
   * @param reserveBytes what is kept free below the control group's limit, and of the machine's
   *     available memory
   * @param allocationWait the longest time that a request waits for memory
   */
  public record Memory(
      long budgetBytes,
      long bytesPerUid,
      long bytesPerSession,
      long rangeBytes,
      long reserveBytes,
      Duration allocationWait) {}

  /**
   * Which memory is taken back ahead of need.
   *
   * @param lowWatermarkBytes resident memory at which background reclaim ends; less than {@code
   *     highWatermarkBytes}
   * @param highWatermarkBytes resident memory above which background reclaim begins; at most the
   *     budget
   * @param protectRecent how long ago a page must have been stopped to be taken for what lies above
   *     another session's fair share
   */
  public record Reclaim(long lowWatermarkBytes, long highWatermarkBytes, Duration protectRecent) {}

  /**
   * How many sessions there may be.
   *
   * @param max most sessions alive at once
   * @param maxPerUid most sessions alive at once of one uid; at most {@code max}
   * @param drainWait how long a stopping server waits for its sessions to end
   */
  public record Sessions(int max, int maxPerUid, Duration drainWait) {}

  /**
   * How many connections to the gRPC servers there may be.
   *
   * @param max most connections at once
   * @param maxPerUid most connections at once of one uid; at most {@code max}
   */
  public record Connections(int max, int maxPerUid) {}

  /**
   * What calls may cost at once.
   *
   * @param maxDataBytes most bytes of data in one Read or Write
   * @param maxInFlight most calls at once that are not yet closed on the wire, session streams not
   *     counted
   * @param maxBytesInFlight most bytes of requests and answers of those calls
   * @param oneUid whether only one uid can connect; then that may have all of them
   * @param requestWait how long a request, and the beginning of a connection, may take to arrive
   * @param idleWait how long a connection may stay without a call
   */
  public record Requests(
      int maxDataBytes,
      int maxInFlight,
      long maxBytesInFlight,
      boolean oneUid,
      Duration requestWait,
      Duration idleWait) {}
}
