/**
 * Page ranges, and the shrinker that takes their pages back. Start reading at {@link
 * dev.pagetide.server.page.ShrinkablePageRange}. The package {@code budget} says how much they may
 * hold.
 *
 * <p>Knows no gRPC, no Micrometer and no logging. It reports to a {@link
 * dev.pagetide.server.page.PageObserver}, and by its failures.
 */
@NullMarked
package dev.pagetide.server.page;

import org.jspecify.annotations.NullMarked;
