/**
 * What the listeners of this server share, for gRPC and for the hand-off: an option of their Unix
 * sockets, and the watch over their event loops. Knows Netty and no gRPC.
 */
@NullMarked
package dev.pagetide.server.net;

import org.jspecify.annotations.NullMarked;
