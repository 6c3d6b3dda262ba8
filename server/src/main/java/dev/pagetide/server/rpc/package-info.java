/**
 * The gRPC face: thin services that turn messages into calls on sessions and ranges, and failures
 * into statuses.
 */
@NullMarked
package dev.pagetide.server.rpc;

import org.jspecify.annotations.NullMarked;
