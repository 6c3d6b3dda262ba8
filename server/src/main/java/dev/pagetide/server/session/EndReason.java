package dev.pagetide.server.session;

/** What ended a session. */
public enum EndReason {
  /** The client ended the stream of its session and kept its connection. */
  CANCELLED,
  /** The client's connection went: it was closed, its process exited or was killed. */
  DISCONNECTED,
  /** The server stopped; the bytes stay to those who have mapped them. */
  STOPPED
}
