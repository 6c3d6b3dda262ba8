package dev.pagetide.server.page;

import java.util.OptionalLong;

/**
 * A summary of one range for watchers.
 *
 * @param counts pages by state
 * @param oldestUsedNanos the longest time that any USED page can have been USED without a break.
 *     That is the time since the page was last known not to be USED: when the server made it USED
 *     on the slow path, or when a check found it AVAILABLE. Empty if no page's word says USED
 */
public record RangeLook(PageCounts counts, OptionalLong oldestUsedNanos) {}
