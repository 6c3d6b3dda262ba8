package dev.pagetide.server.transaction;

import dev.pagetide.server.session.Peer;
import java.util.Set;

/**
 * Which users' processes may transact to which others: to those of the same user, and as listed.
 * Callers over TCP, for which nothing vouches, transact among themselves only.
 *
 * @param allowed further pairs
 */
public record TransactRule(Set<Pair> allowed) {
  /** To processes of the same user only. */
  public static final TransactRule OWN = new TransactRule(Set.of());

  /** Stands for every user. */
  public static final long ANY = -1;

  /**
   * One user may transact to another's receivers.
   *
   * @param from the sender's uid, or {@link #ANY}
   * @param to the receiver's uid, or {@link #ANY}
   */
  public record Pair(long from, long to) {}

  /** Whether one user may transact to another's receivers. */
  boolean allows(int fromUid, int toUid) {
    if (fromUid == toUid) {
      return true;
    }
    if (fromUid == Peer.NO_UID || toUid == Peer.NO_UID) {
      return false;
    }
    long from = Integer.toUnsignedLong(fromUid);
    long to = Integer.toUnsignedLong(toUid);
    return allowed.contains(new Pair(from, to))
        || allowed.contains(new Pair(from, ANY))
        || allowed.contains(new Pair(ANY, to))
        || allowed.contains(new Pair(ANY, ANY));
  }
}
