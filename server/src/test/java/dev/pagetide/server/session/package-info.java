@NullMarked
package dev.pagetide.server.session;

import org.jspecify.annotations.NullMarked;
