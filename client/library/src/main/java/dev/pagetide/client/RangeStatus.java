package dev.pagetide.client;

import dev.pagetide.v1.RangeSummary;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * One live range as the operator sees it.
 *
 * @param rangeId the session's public number, unsigned
 * @param name as the client gave it: escape it before showing it
 * @param pid the process that opened the session; 0 if the kernel does not say
 * @param uid the user of that process; meaningless over TCP
 * @param mode what the range is for
 * @param openTime when the session was opened
 * @param freePages pages that hold no memory
 * @param availablePages pages that hold memory but are not in use
 * @param usedPages pages in use
 * @param highWatermark one past the highest page that ever held memory
 * @param strays strays found since the range was opened: pages that had memory which the server had
 *     not given
 * @param contradictions pages whose word now contradicts whether they have memory
 * @param transport how the client is connected
 * @param oldestUsed an upper bound of the longest time for which any page has been USED without a
 *     break: the time since the server gave it memory, or since a listing found it AVAILABLE; empty
 *     if no page is USED
 */
public record RangeStatus(
    long rangeId,
    String name,
    int pid,
    long uid,
    RangeMode mode,
    Instant openTime,
    int freePages,
    int availablePages,
    int usedPages,
    int highWatermark,
    long strays,
    long contradictions,
    Transport transport,
    Optional<Duration> oldestUsed) {

  static RangeStatus of(RangeSummary wire) {
    return new RangeStatus(
        wire.getRangeId(),
        wire.getName(),
        wire.getPid(),
        Integer.toUnsignedLong(wire.getUid()),
        WireEnums.mode(wire.getMode()),
        Instant.ofEpochSecond(wire.getOpenTime().getSeconds(), wire.getOpenTime().getNanos()),
        WireNumbers.count("free_pages", wire.getFreePages()),
        WireNumbers.count("available_pages", wire.getAvailablePages()),
        WireNumbers.count("used_pages", wire.getUsedPages()),
        WireNumbers.count("high_watermark", wire.getHighWatermark()),
        WireNumbers.count("strays", wire.getStrays()),
        WireNumbers.count("contradictions", wire.getContradictions()),
        WireEnums.transport(wire.getTransport()),
        wire.hasOldestUsed()
            ? Optional.of(WireNumbers.duration("oldest_used", wire.getOldestUsed()))
            : Optional.empty());
  }
}
