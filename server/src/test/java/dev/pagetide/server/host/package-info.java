@NullMarked
package dev.pagetide.server.host;

import org.jspecify.annotations.NullMarked;
