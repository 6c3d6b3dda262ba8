/**
 * Page ranges, and the shrinker that takes their pages back. Start reading at {@link
 * dev.pagetide.server.page.ShrinkablePageRange}. What they may hold is told by {@code budget}.
 *
 * <p>Knows no gRPC, no Micrometer and no logging: what it has to tell, it tells a {@link
 * dev.pagetide.server.page.PageObserver} and in its failures.
 */
@NullMarked
package dev.pagetide.server.page;

import org.jspecify.annotations.NullMarked;
