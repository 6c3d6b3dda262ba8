@NullMarked
package dev.pagetide.server.os;

import org.jspecify.annotations.NullMarked;
