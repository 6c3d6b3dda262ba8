/**
 * {@code pagetide top}: the state of a server's memory, continuously in a terminal or for scripts.
 */
@NullMarked
package dev.pagetide.client.cli.top;

import org.jspecify.annotations.NullMarked;
