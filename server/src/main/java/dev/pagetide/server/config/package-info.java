/**
 * The options that the operator gives: where they come from, what they mean, and what is wrong with
 * them. Start reading at {@link dev.pagetide.server.config.OptionReader}.
 */
@NullMarked
package dev.pagetide.server.config;

import org.jspecify.annotations.NullMarked;
