/** Tests of the demo's parts; the demo as a whole is run by the command line's tests. */
@NullMarked
package dev.pagetide.client.cli.demo;

import org.jspecify.annotations.NullMarked;
