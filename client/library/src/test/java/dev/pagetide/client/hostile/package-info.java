/** Clients that lie, trespass, flood and die, as processes of their own, against a real server. */
@NullMarked
package dev.pagetide.client.hostile;

import org.jspecify.annotations.NullMarked;
