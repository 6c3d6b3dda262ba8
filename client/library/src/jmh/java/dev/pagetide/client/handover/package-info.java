/**
 * Ways of handing bytes from one process to another, and what each costs. A new one is a {@link
 * dev.pagetide.client.handover.HandOver} and a constant of {@link
 * dev.pagetide.client.handover.Way}.
 */
@NullMarked
package dev.pagetide.client.handover;

import org.jspecify.annotations.NullMarked;
