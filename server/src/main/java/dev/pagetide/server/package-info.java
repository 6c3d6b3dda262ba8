/**
 * The server's command, its options and directory, and the wiring of everything below: {@link
 * dev.pagetide.server.PagetideServer} is where a process starts.
 */
@NullMarked
package dev.pagetide.server;

import org.jspecify.annotations.NullMarked;
