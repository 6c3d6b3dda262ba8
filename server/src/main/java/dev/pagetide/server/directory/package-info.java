/**
 * The directory in which clients find the server. It has the sockets, the lock, and the key of the
 * tide map. Start reading at {@link dev.pagetide.server.directory.ServerDirectory}.
 */
@NullMarked
package dev.pagetide.server.directory;

import org.jspecify.annotations.NullMarked;
