package dev.pagetide.shm;

/**
 * The state of one page.
 *
 * <ul>
 *   <li>{@link #FREE}: the page holds no memory. Only the server takes a page out of FREE.
 *   <li>{@link #AVAILABLE}: the page holds memory that is not in use; the shrinker may take it at
 *       any instant.
 *   <li>{@link #USED}: the page holds memory that is in use; the shrinker never takes it.
 * </ul>
 *
 * <p>The order of the constants is the order of their codes in {@link PageWord}.
 */
public enum PageState {
  /** Holds no memory. */
  FREE,
  /** Holds memory that is not in use. */
  AVAILABLE,
  /** Holds memory that is in use. */
  USED
}
