/** Tests of the client library. */
@NullMarked
package dev.pagetide.client;

import org.jspecify.annotations.NullMarked;
