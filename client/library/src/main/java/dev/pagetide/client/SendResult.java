package dev.pagetide.client;

/**
 * What the server says of a one-way transaction that it has put before its receiver.
 *
 * @param oneWaySpam whether this sender fills the receiver's one-way space: less than a tenth of it
 *     is left, and more than 50 one-way buffers, or more than a quarter of the range, are its own.
 *     Who is told so should wait before it sends more
 */
public record SendResult(boolean oneWaySpam) {}
