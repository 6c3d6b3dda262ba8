@NullMarked
package dev.pagetide.server.net;

import org.jspecify.annotations.NullMarked;
