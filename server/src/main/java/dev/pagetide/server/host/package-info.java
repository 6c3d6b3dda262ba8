/**
 * What the kernel grants this process, and what the process uses: limits, control groups, free
 * memory. Knows no ranges.
 */
@NullMarked
package dev.pagetide.server.host;

import org.jspecify.annotations.NullMarked;
