@NullMarked
package dev.pagetide.server.metrics;

import org.jspecify.annotations.NullMarked;
