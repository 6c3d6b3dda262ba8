package dev.pagetide.server.session;

/**
 * The process at the other end of a connection, as the kernel tells of it.
 *
 * @param transport how it is connected
 * @param uid its user; {@link #NO_UID} where the transport does not tell
 * @param pid its process when it connected; 0 where the kernel does not say: over TCP, and from
 *     outside the server's pid namespace
 */
public record Peer(Transport transport, int uid, int pid) {
  /** What stands for the user of a caller that came by TCP; no user has this number. */
  public static final int NO_UID = -1;

  /** How a caller is connected. */
  public enum Transport {
    /** The Unix socket: the kernel vouches for uid and pid. */
    UNIX,
    /** TCP: nobody vouches for anything. */
    TCP
  }

  /** A caller that came by TCP. */
  public static final Peer TCP = new Peer(Transport.TCP, NO_UID, 0);

  /** A caller on the Unix socket. */
  public static Peer unix(int uid, int pid) {
    return new Peer(Transport.UNIX, uid, pid);
  }

  /** Whether a token that was given to this peer is good from the other one, too. */
  boolean sharesTokensWith(Peer other) {
    return transport == other.transport && uid == other.uid;
  }

  /**
   * Whether the other one can be the same process on this host, as far as the kernel tells. Never
   * so of a caller by TCP, which may be on any host.
   */
  boolean mayBe(Peer other) {
    return transport == Transport.UNIX
        && sharesTokensWith(other)
        && (pid == other.pid || pid == 0 || other.pid == 0);
  }
}
