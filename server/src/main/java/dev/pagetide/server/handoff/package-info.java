/**
 * The hand-over: how a session's process gets the descriptor of its range's file, on a Unix socket
 * beside gRPC's. The exchange is described in {@code proto/SHARED_FILE.md}. Knows Netty and no
 * gRPC.
 */
@NullMarked
package dev.pagetide.server.handoff;

import org.jspecify.annotations.NullMarked;
