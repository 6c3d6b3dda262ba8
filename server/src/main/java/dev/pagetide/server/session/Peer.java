package dev.pagetide.server.session;

/**
 * The process at the other end of a connection, as the kernel describes it.
 *
 * @param transport how it is connected
 * @param uid its user; {@link #NO_UID} if the transport does not tell
 * @param pid its process when it connected; 0 if the kernel does not say: over TCP, and from
 *     outside the server's pid namespace
 */
public record Peer(Transport transport, int uid, int pid) {
  /** Stands for the user of a caller over TCP; no user has this number. */
  public static final int NO_UID = -1;

  /** How a caller is connected. */
  public enum Transport {
    /** The Unix socket: the kernel vouches for uid and pid. */
    UNIX,
    /** TCP: nothing vouches for the caller. */
    TCP
  }

  /** A caller over TCP. */
  public static final Peer TCP = new Peer(Transport.TCP, NO_UID, 0);

  /** A caller on the Unix socket. */
  public static Peer unix(int uid, int pid) {
    return new Peer(Transport.UNIX, uid, pid);
  }

  /** Whether the server accepts, from the other peer, a token that it gave to this one. */
  boolean sharesTokensWith(Peer other) {
    return transport == other.transport && uid == other.uid;
  }

  /**
   * Whether the other peer can be the same process on this host, as far as the kernel tells. This
   * is never true of a caller over TCP, because that may be on any host.
   */
  boolean mayBe(Peer other) {
    return transport == Transport.UNIX
        && sharesTokensWith(other)
        && (pid == other.pid || pid == 0 || other.pid == 0);
  }
}
