/** The two launchers, on copies of their folders with a stand-in for the jar. */
@NullMarked
package dev.pagetide.client.launch;

import org.jspecify.annotations.NullMarked;
