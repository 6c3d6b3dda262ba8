package dev.pagetide.server.session;

/** What ended a session. */
public enum EndReason {
  /** The client ended the stream of its session and kept its connection. */
  CANCELLED,
  /** The client's connection was lost: it was closed, or the process exited or was killed. */
  DISCONNECTED,
  /** The server stopped; clients that have mapped the bytes keep them. */
  STOPPED
}
