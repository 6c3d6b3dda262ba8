/**
 * The hand-off: the server passes a session's process the descriptor of the range's file, on a Unix
 * socket beside gRPC's. {@code proto/SHARED_FILE.md} describes the exchange. Knows Netty and no
 * gRPC.
 */
@NullMarked
package dev.pagetide.server.handoff;

import org.jspecify.annotations.NullMarked;
