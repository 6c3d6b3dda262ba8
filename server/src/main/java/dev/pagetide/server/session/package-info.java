/**
 * Sessions: who holds which range, under which token and name, and how many they may be. Knows no
 * gRPC; a session is opened and ended by whoever holds its stream.
 */
@NullMarked
package dev.pagetide.server.session;

import org.jspecify.annotations.NullMarked;
