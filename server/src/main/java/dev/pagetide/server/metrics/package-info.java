/** The catalogue of meters, the HTTP endpoint that shows them to Prometheus, and the logs. */
@NullMarked
package dev.pagetide.server.metrics;

import org.jspecify.annotations.NullMarked;
