/** Tests of page ranges, the budget and the shrinker, on real memfds. */
@NullMarked
package dev.pagetide.server.page;

import org.jspecify.annotations.NullMarked;
