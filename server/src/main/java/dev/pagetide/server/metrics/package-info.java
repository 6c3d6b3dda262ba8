/** What Prometheus sees: the catalogue of meters, and the HTTP endpoint that shows them. */
@NullMarked
package dev.pagetide.server.metrics;

import org.jspecify.annotations.NullMarked;
