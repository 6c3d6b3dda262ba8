@NullMarked
package dev.pagetide.server;

import org.jspecify.annotations.NullMarked;
