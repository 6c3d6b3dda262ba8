/**
 * The shared file, and the kernel's own files and events. The only package of Pagetide that makes
 * native calls; it knows nothing of ranges, states or budgets.
 */
@NullMarked
package dev.pagetide.server.os;

import org.jspecify.annotations.NullMarked;
