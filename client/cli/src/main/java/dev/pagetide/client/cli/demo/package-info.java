/** {@code pagetide demo}: a real server and two real clients show every promise once. */
@NullMarked
package dev.pagetide.client.cli.demo;

import org.jspecify.annotations.NullMarked;
