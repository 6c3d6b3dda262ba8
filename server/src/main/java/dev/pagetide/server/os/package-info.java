/**
 * The shared file, and the kernel's own files and events. This is the only package of Pagetide that
 * makes native calls. It knows no ranges, states or budgets.
 */
@NullMarked
package dev.pagetide.server.os;

import org.jspecify.annotations.NullMarked;
