package dev.pagetide.client;

import io.grpc.Metadata;
import io.grpc.Status;

/**
 * What the end of a stream that a session lives by means.
 *
 * @param end what {@code ended()} tells
 * @param failure what every later call fails with
 */
record StreamEnd(SessionEnd end, PagetideException failure) {

  /** The client closed the session. */
  static StreamEnd closedByUs() {
    return new StreamEnd(
        new SessionEnd(SessionEnd.Cause.CLOSED, "the client closed the session"),
        new PagetideException(
            StatusCode.ABORTED,
            ErrorReason.SESSION_ENDED,
            "this session was closed by its client",
            null,
            false,
            0,
            null));
  }

  /**
   * Somebody else ended the stream of {@code rpc} with {@code status}.
   *
   * @param announced whether the server had said before that it is about to stop
   */
  static StreamEnd of(String rpc, Status status, Metadata trailers, boolean announced) {
    PagetideException said = StatusMapping.exception(rpc, status, trailers);
    SessionEnd end = end(status, said, announced);
    return switch (end.cause()) {
      case CLOSED, ENDED_BY_SERVER -> new StreamEnd(end, said);
      case SERVER_STOPPED, SERVER_LOST ->
          new StreamEnd(
              end,
              new PagetideException(
                  StatusCode.UNAVAILABLE,
                  said.reason().orElse(null),
                  end.message(),
                  null,
                  false,
                  0,
                  said.getCause()));
    };
  }

  private static SessionEnd end(Status status, PagetideException said, boolean announced) {
    boolean stopping =
        announced || said.reason().filter(r -> r == ErrorReason.SERVER_STOPPING).isPresent();
    if (stopping || status.isOk()) {
      return new SessionEnd(
          SessionEnd.Cause.SERVER_STOPPED, "the server stopped and ended the session");
    }
    if (said.reason().isEmpty() && status.getCode() != Status.Code.UNIMPLEMENTED) {
      return new SessionEnd(
          SessionEnd.Cause.SERVER_LOST,
          "the connection to the server was lost, and the session with it: " + said.getMessage());
    }
    return new SessionEnd(
        SessionEnd.Cause.ENDED_BY_SERVER, "the server ended the session: " + said.getMessage());
  }
}
