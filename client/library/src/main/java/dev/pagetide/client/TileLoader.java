package dev.pagetide.client;

import java.lang.foreign.MemorySegment;

/**
 * What fills a tile of a {@link PageCache} with the bytes of its key.
 *
 * @param <K> what tiles are found by
 * @param <X> the checked exception that it throws; inferred as {@link RuntimeException} for none
 */
@FunctionalInterface
public interface TileLoader<K, X extends Exception> {

  /**
   * Writes the bytes of {@code key}. Runs on the thread that called {@link PageCache#get}, which
   * holds no lock meanwhile, and for one key never twice at the same time. It may get other keys.
   * The tile counts as loaded once this has returned, and not if it throws.
   *
   * @param bytes the whole tile, all zeros; not to be touched once this has returned
   */
  void load(K key, MemorySegment bytes) throws X;
}
