@NullMarked
package dev.pagetide.server.directory;

import org.jspecify.annotations.NullMarked;
