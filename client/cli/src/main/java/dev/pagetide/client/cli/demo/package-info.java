/** {@code pagetide demo}: a real server, two real clients, and every promise seen once. */
@NullMarked
package dev.pagetide.client.cli.demo;

import org.jspecify.annotations.NullMarked;
