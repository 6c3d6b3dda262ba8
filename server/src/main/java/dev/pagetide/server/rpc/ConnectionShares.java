package dev.pagetide.server.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.session.Peer;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The shares of the limit on requests in flight that uids and their connections have.
 *
 * <p>Where other uids can connect, a uid may have half of the limit, however many connections it
 * makes; all callers over TCP are one uid. A connection may have half of what its uid may have.
 * What little a connection has ({@link #FEW_CALLS}, {@link #FEW_BYTES}) counts against its own
 * share alone, so that many connections with little each do not use up what others may have. What
 * is kept for a uid goes with its last connection. Thread-safe.
 */
final class ConnectionShares {
  /** Calls that a connection may always have in flight, whatever others have. */
  static final int FEW_CALLS = 8;

  /** Bytes that a connection may always have in flight, whatever others have. */
  static final long FEW_BYTES = 64 * 1024;

  /** The part of the limit that parts of messages may exceed it by, for the only uid. */
  private static final int ALLOWANCE_OF_THE_ONLY_UID = 2;

  /** The same for each of several uids. */
  private static final int ALLOWANCE_OF_A_UID = 8;

  private final Share whole;
  private final boolean oneUid;

  /** LOCKS: a leaf. */
  @GuardedBy("this")
  private final Map<Integer, User> users = new HashMap<>();

  /** A uid that has connections. */
  private static final class User {
    private final Share share;
    private final AtomicLong allowance;
    private int connections;

    User(Share share, long allowance) {
      this.share = share;
      this.allowance = new AtomicLong(allowance);
    }
  }

  /**
   * What counts against one connection, and what against its uid.
   *
   * @param allowance bytes that parts of messages of this uid may still have beyond its limit: see
   *     {@link ArrivingMessage}
   */
  record Connection(int uid, Share user, Share own, AtomicLong allowance) {
    void addCall(Share whole) {
      if (own.addCall() > FEW_CALLS) {
        user.addCall();
        whole.addCall();
      }
    }

    void removeCall(Share whole) {
      if (own.removeCall() >= FEW_CALLS) {
        user.removeCall();
        whole.removeCall();
      }
    }

    /**
     * Counts bytes. RACE: threads that count at once each take the step from what the one before
     * left, so the steps add up to what is beyond the few at the end.
     */
    void addBytes(Share whole, long size) {
      long after = own.addBytes(size);
      long beyond = beyondFew(after) - beyondFew(after - size);
      if (beyond != 0) {
        user.addBytes(beyond);
        whole.addBytes(beyond);
      }
    }

    private static long beyondFew(long bytes) {
      return Math.max(0, bytes - FEW_BYTES);
    }

    /**
     * Whether it has so little in flight that it is served even if the others have used up the
     * limit. If it were not, a process with a few connections could keep all others of its uid from
     * being served. The limit on connections bounds what all of them have in this way.
     */
    boolean hasLittle() {
      return own.isWithin(FEW_CALLS, FEW_BYTES);
    }
  }

  /**
   * Shares of a limit.
   *
   * @param whole the limit of the whole server
   * @param oneUid whether only one uid can connect; then that may have all of the limit
   */
  ConnectionShares(Share whole, boolean oneUid) {
    this.whole = whole;
    this.oneUid = oneUid;
  }

  /** The shares of a new connection. {@link #ended} gives them back. */
  synchronized Connection begun(Peer peer) {
    // A share of its own even for the only uid: then every call counts at the same three places.
    User user = users.computeIfAbsent(peer.uid(), _ -> newUser());
    Connection connection =
        new Connection(peer.uid(), user.share, user.share.half(), user.allowance);
    user.connections++;
    return connection;
  }

  private User newUser() {
    return oneUid
        ? new User(whole.likeIt(), whole.maxBytes() / ALLOWANCE_OF_THE_ONLY_UID)
        : new User(whole.half(), whole.maxBytes() / ALLOWANCE_OF_A_UID);
  }

  synchronized void ended(Connection connection) {
    users.computeIfPresent(connection.uid(), (_, user) -> --user.connections == 0 ? null : user);
  }

  /** How many uids have connections, for tests. */
  synchronized int users() {
    return users.size();
  }
}
