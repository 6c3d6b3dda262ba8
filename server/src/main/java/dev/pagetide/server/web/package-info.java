/** The HTTP front: the tide map for whoever holds its key, and {@code /metrics} beside it. */
@NullMarked
package dev.pagetide.server.web;

import org.jspecify.annotations.NullMarked;
