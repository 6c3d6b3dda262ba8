@NullMarked
package dev.pagetide.server.config;

import org.jspecify.annotations.NullMarked;
