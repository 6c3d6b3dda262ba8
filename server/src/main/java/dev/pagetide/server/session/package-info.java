/**
 * Sessions: which client holds which range, under which token and name, and how many sessions there
 * may be. Knows no gRPC. The code that holds a session's stream opens and ends the session.
 */
@NullMarked
package dev.pagetide.server.session;

import org.jspecify.annotations.NullMarked;
