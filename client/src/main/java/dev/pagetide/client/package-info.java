/**
 * The Java client of Pagetide: open a range, use its pages, write and read them, stop using them.
 * Start at {@link dev.pagetide.client.PagetideClient}.
 */
@NullMarked
package dev.pagetide.client;

import org.jspecify.annotations.NullMarked;
