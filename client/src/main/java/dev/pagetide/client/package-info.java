/**
 * The Java client of Pagetide: open a range, use its pages, write and read them, stop using them;
 * or hand bytes from one process to another, which are copied once. Start at {@link
 * dev.pagetide.client.PagetideClient}.
 */
@NullMarked
package dev.pagetide.client;

import org.jspecify.annotations.NullMarked;
