/** What the tests of a whole server share: the server, and clients that speak its protocols raw. */
@NullMarked
package dev.pagetide.server.kit;

import org.jspecify.annotations.NullMarked;
