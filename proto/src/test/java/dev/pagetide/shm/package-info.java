@NullMarked
package dev.pagetide.shm;

import org.jspecify.annotations.NullMarked;
