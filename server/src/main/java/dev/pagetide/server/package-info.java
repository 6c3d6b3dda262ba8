/**
 * The server's command, and the wiring of everything below: {@link PagetideServer} is where a
 * process starts, {@link RunningServer} is what it makes.
 */
@NullMarked
package dev.pagetide.server;

import org.jspecify.annotations.NullMarked;
