package dev.pagetide.server.page;

import java.util.OptionalLong;

/**
 * What a watcher sees of one range at a glance.
 *
 * @param counts pages by state
 * @param oldestUsedNanos the longest that any USED page can have been USED without a break: the
 *     time since it was last known not to be, because the server gave it memory or a look found it
 *     AVAILABLE; empty where no page's word says USED
 */
public record RangeLook(PageCounts counts, OptionalLong oldestUsedNanos) {}
