@NullMarked
package dev.pagetide.server.handoff;

import org.jspecify.annotations.NullMarked;
