/** {@code pagetide top}: how a server's memory stands, live in a terminal or for scripts. */
@NullMarked
package dev.pagetide.client.cli.top;

import org.jspecify.annotations.NullMarked;
