/** The {@code pagetide} command line on top of the client library. */
@NullMarked
package dev.pagetide.client.cli;

import org.jspecify.annotations.NullMarked;
