@NullMarked
package dev.pagetide.server.buffer;

import org.jspecify.annotations.NullMarked;
