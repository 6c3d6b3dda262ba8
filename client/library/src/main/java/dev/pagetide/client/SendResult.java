package dev.pagetide.client;

/**
 * The server's answer to a one-way transaction that it has delivered.
 *
 * @param oneWaySpam whether this sender is filling the receiver's one-way space: less than a tenth
 *     of that space is left, and this sender sent more than 50 of the one-way buffers there, or its
 *     one-way buffers take more than a quarter of the range. Then the sender should wait before it
 *     sends more
 */
public record SendResult(boolean oneWaySpam) {}
