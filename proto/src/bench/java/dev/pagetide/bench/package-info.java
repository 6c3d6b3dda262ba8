/** How the benchmarks of server and client are run and shown. */
@NullMarked
package dev.pagetide.bench;

import org.jspecify.annotations.NullMarked;
