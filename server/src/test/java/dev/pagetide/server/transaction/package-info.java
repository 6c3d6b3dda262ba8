@NullMarked
package dev.pagetide.server.transaction;

import org.jspecify.annotations.NullMarked;
