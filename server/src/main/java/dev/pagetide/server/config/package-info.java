/**
 * What the operator asked for: the options, where they come from, and what is wrong with them.
 * Start reading at {@link dev.pagetide.server.config.OptionReader}.
 */
@NullMarked
package dev.pagetide.server.config;

import org.jspecify.annotations.NullMarked;
