/**
 * Finds out how short of memory the host is, and decides how many pages to reclaim. Start reading
 * at {@link dev.pagetide.server.pressure.PressureMonitor}.
 *
 * <p>Knows no gRPC, no Micrometer and no logging: it reports to a {@link
 * dev.pagetide.server.pressure.PressureObserver}.
 */
@NullMarked
package dev.pagetide.server.pressure;

import org.jspecify.annotations.NullMarked;
