package dev.pagetide.server.session;

/**
 * What hears that a limit stopped a client: refused it, hung up, or stopped reading from it. Called
 * as often as a hostile client likes, on threads that serve others and under their monitors; so it
 * must be quick, must not block, and must throw nothing.
 */
@FunctionalInterface
public interface CutOffObserver {
  /** Hears nothing. */
  CutOffObserver NONE = (peer, limit, why) -> {};

  /** Tells two, in their order. */
  static CutOffObserver both(CutOffObserver first, CutOffObserver second) {
    return (peer, limit, why) -> {
      first.cutOff(peer, limit, why);
      second.cutOff(peer, limit, why);
    };
  }

  /**
   * A client ran into a limit.
   *
   * @param limit the option that raises it, or the limit's name where no option does; one of a few
   * @param why the sentence for the operator, with the numbers
   */
  void cutOff(Peer peer, String limit, String why);
}
