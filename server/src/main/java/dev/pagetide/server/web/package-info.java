/** The HTTP listener: the tide map for users who have its key, and {@code /metrics}. */
@NullMarked
package dev.pagetide.server.web;

import org.jspecify.annotations.NullMarked;
