package dev.pagetide.server.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.session.Peer;
import java.util.HashMap;
import java.util.Map;

/**
 * The shares of the limit on requests in flight that uids and their connections have.
 *
 * <p>Where other uids can connect, a uid may have half of the limit, however many connections it
 * makes; all callers over TCP are one uid. A connection may have half of what its uid may have.
 * What is kept for a uid goes with its last connection. Thread-safe.
 */
final class ConnectionShares {
  /** Calls that a connection may always have in flight, whatever others have. */
  static final int FEW_CALLS = 8;

  /** Bytes that a connection may always have in flight, whatever others have. */
  static final long FEW_BYTES = 64 * 1024;

  private final Share whole;
  private final boolean oneUid;

  /** LOCKS: a leaf. */
  @GuardedBy("this")
  private final Map<Integer, User> users = new HashMap<>();

  /** A uid that has connections. */
  private static final class User {
    private final Share share;
    private int connections;

    User(Share share) {
      this.share = share;
    }
  }

  /** What counts against one connection, and what against its uid. */
  record Connection(int uid, Share user, Share own) {
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
    User user =
        users.computeIfAbsent(peer.uid(), _ -> new User(oneUid ? whole.likeIt() : whole.half()));
    Connection connection = new Connection(peer.uid(), user.share, user.share.half());
    user.connections++;
    return connection;
  }

  synchronized void ended(Connection connection) {
    users.computeIfPresent(connection.uid(), (_, user) -> --user.connections == 0 ? null : user);
  }

  /** How many uids have connections, for tests. */
  synchronized int users() {
    return users.size();
  }
}
