@NullMarked
package dev.pagetide.server.budget;

import org.jspecify.annotations.NullMarked;
