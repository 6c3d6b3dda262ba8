@NullMarked
package dev.pagetide.server.web;

import org.jspecify.annotations.NullMarked;
