package dev.pagetide.server.config;

import dev.pagetide.server.directory.ServerDirectory;
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
 * @param directory absolute path of the directory of sockets and lock; see {@link ServerDirectory}
 * @param socketMode mode bits of the Unix sockets: 0600, 0660 or 0666 (octal)
 * @param socketGroup group of the Unix sockets, a name or a number; null: the group they are born
 *     with
 * @param listen loopback address of the TCP listener, port 0 for any free one; null: no TCP
 * @param http address of {@code /metrics} and the tide map, port 0 for any free one; null: off
 * @param maxResidentBytes the budget: most bytes of memory that all ranges together may hold
 * @param maxRangeBytes most bytes of pages that one session is granted
 * @param maxSessions most sessions alive at once
 * @param maxSessionsPerUid most sessions alive at once of one uid; at most {@code maxSessions}
 * @param maxResidentBytesPerUid most bytes that one uid's ranges may hold; at most {@code
 *     maxResidentBytes}
 * @param maxResidentBytesPerSession most bytes that one range may hold; at most {@code
 *     maxResidentBytesPerUid}
 * @param lowWatermarkBytes resident memory at which background reclaim ends; less than {@code
 *     highWatermarkBytes}
 * @param highWatermarkBytes resident memory above which background reclaim begins; at most {@code
 *     maxResidentBytes}
 * @param allocationWait the longest time that a request waits for memory
 * @param protectRecent how long ago a page must have been stopped to be taken for what lies above
 *     another session's fair share
 * @param memoryReserveBytes what is kept free below the control group's limit, and of the machine's
 *     available memory
 * @param pressure what is done about the host's pressure
 * @param maxDataBytes most bytes of data in one Read or Write
 * @param maxRequestsInFlight most calls at once that are not yet closed on the wire, session
 *     streams not counted
 * @param maxRequestBytesInFlight most bytes of requests and answers of those calls
 * @param transactions what transactions may cost, and who may transact to whom
 * @param maxHandoffs most connections to the hand-off socket that are served at once
 * @param handoffWait how long such a connection may last
 * @param drainWait how long a stopping server waits for its sessions to end
 */
public record ServerOptions(
    Path directory,
    int socketMode,
    @Nullable String socketGroup,
    @Nullable InetSocketAddress listen,
    @Nullable InetSocketAddress http,
    long maxResidentBytes,
    long maxRangeBytes,
    int maxSessions,
    int maxSessionsPerUid,
    long maxResidentBytesPerUid,
    long maxResidentBytesPerSession,
    long lowWatermarkBytes,
    long highWatermarkBytes,
    Duration allocationWait,
    Duration protectRecent,
    long memoryReserveBytes,
    PressureMode pressure,
    int maxDataBytes,
    int maxRequestsInFlight,
    long maxRequestBytesInFlight,
    TransactionConfig transactions,
    int maxHandoffs,
    Duration handoffWait,
    Duration drainWait) {}
