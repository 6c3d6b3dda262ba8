/** Tests of {@code pagetide top}, in this process and in a real terminal. */
@NullMarked
package dev.pagetide.client.cli.top;

import org.jspecify.annotations.NullMarked;
