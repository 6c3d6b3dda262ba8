/** Tests of the command line. */
@NullMarked
package dev.pagetide.client.cli;

import org.jspecify.annotations.NullMarked;
