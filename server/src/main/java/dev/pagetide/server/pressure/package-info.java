/**
 * How short of memory the host is, and how many pages are taken back for it. Start reading at
 * {@link dev.pagetide.server.pressure.PressureMonitor}.
 *
 * <p>Knows no gRPC, no Micrometer and no logging: what it has to tell, it tells a {@link
 * dev.pagetide.server.pressure.PressureObserver}.
 */
@NullMarked
package dev.pagetide.server.pressure;

import org.jspecify.annotations.NullMarked;
