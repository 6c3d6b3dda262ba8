package dev.pagetide.client;

import java.lang.foreign.MemorySegment;

/**
 * Fills a tile of a {@link PageCache} with the bytes of its key.
 *
 * @param <K> the key of a tile
 * @param <X> the checked exception that it throws; inferred as {@link RuntimeException} if none
 */
@FunctionalInterface
public interface TileLoader<K, X extends Exception> {

  /**
   * Writes the bytes of {@code key}. The thread that called {@link PageCache#get} runs this, and
   * holds no lock meanwhile. For one key it never runs twice at the same time. It may get other
   * keys. The tile counts as loaded once this has returned, but not if it throws.
   *
   * @param bytes the whole tile, all zeros; do not touch it once this has returned
   */
  void load(K key, MemorySegment bytes) throws X;
}
