package dev.pagetide.client;

/**
 * What a {@link PageCache} has done since it was made. Counted without a lock, so figures that are
 * read while threads get tiles need not fit each other.
 *
 * @param hits gets that were answered without a load of their own, those that waited for another
 *     thread's load included
 * @param misses gets that called their loader
 * @param loads loaders that returned; the loaders of the other misses threw, or still run
 * @param lost the misses whose key had been loaded, and whose tile the server had taken pages of
 */
public record PageCacheStatistics(long hits, long misses, long loads, long lost) {}
