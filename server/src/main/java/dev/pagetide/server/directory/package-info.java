/**
 * The directory in which clients find the server: its sockets, its lock, and the key of the tide
 * map. Start reading at {@link dev.pagetide.server.directory.ServerDirectory}.
 */
@NullMarked
package dev.pagetide.server.directory;

import org.jspecify.annotations.NullMarked;
