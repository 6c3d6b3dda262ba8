package dev.pagetide.client;

/**
 * What a {@link PageCache} has done since it was made. The cache counts without a lock, so the
 * figures need not be consistent with each other while threads get tiles.
 *
 * @param hits calls of {@code get} that did not call their loader, including those that waited for
 *     another thread's load
 * @param misses calls of {@code get} that called their loader
 * @param loads loaders that returned; the loaders of the other misses threw, or still run
 * @param lost misses whose key had been loaded before, but the server had taken pages of its tile
 */
public record PageCacheStatistics(long hits, long misses, long loads, long lost) {}
