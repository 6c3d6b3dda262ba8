/**
 * The shared file as the kernel gives it. The only package of Pagetide that makes native calls; it
 * knows nothing of ranges, states or budgets.
 */
@NullMarked
package dev.pagetide.server.os;

import org.jspecify.annotations.NullMarked;
