package dev.pagetide.server.session;

/**
 * Is notified when a limit stopped a client: the server refused it, closed its connection, or
 * stopped reading from it. A hostile client can cause any number of calls. They run on threads that
 * serve other clients, and under monitors of those threads. So an observer must be quick, must not
 * block, and must throw nothing.
 */
@FunctionalInterface
public interface CutOffObserver {
  /** Ignores every call. */
  CutOffObserver NONE = (peer, limit, why) -> {};

  /** Notifies both, in their order. */
  static CutOffObserver both(CutOffObserver first, CutOffObserver second) {
    return (peer, limit, why) -> {
      first.cutOff(peer, limit, why);
      second.cutOff(peer, limit, why);
    };
  }

  /**
   * A client reached a limit.
   *
   * @param limit the option that raises it, or the limit's name if no option does; one of a few
   * @param why the sentence for the operator, with the numbers
   */
  void cutOff(Peer peer, String limit, String why);
}
