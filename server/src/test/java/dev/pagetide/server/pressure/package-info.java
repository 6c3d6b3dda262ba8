@NullMarked
package dev.pagetide.server.pressure;

import org.jspecify.annotations.NullMarked;
