/** What a call costs beside the work it asks for. */
@NullMarked
package dev.pagetide.server.rpc;

import org.jspecify.annotations.NullMarked;
