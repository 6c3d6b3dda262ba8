package dev.pagetide.server.web;

import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Set;

/**
 * The open connections of the HTTP listener, and which of them makes room for a new one.
 *
 * <p>A new connection is always accepted. If there are {@link #MAX} already, the server hangs up on
 * the one that has made it wait the longest: for a request, or for the reader of an answer. So
 * silent connections keep nobody out, however many there are.
 *
 * <p>A connection for which the server still prepares the answer is not closed, and neither are the
 * at most {@link Watchers#MAX} watchers of the map. So that new connections do not have to push out
 * each other, nothing is accepted while half of all connections are of these kinds. Others wait in
 * the kernel's queue then, for as long as an answer takes.
 *
 * <p>Only for the listener's event loop.
 */
final class HttpConnections {
  /** Most connections at once. No option raises it, because nobody is kept out. */
  static final int MAX = 256;

  /** How this limit is named to the operator. */
  static final String LIMIT = "http-connections";

  private static final String WHY =
      String.format(
          Locale.ROOT,
          "the HTTP listener has its most, %d connections, and this one had been without progress"
              + " for longest; no option raises this limit",
          MAX);

  private final Set<HttpConnection> open = new HashSet<>();

  /** Those whose clients make the server wait, the longest first. */
  private final Set<HttpConnection> awaited = new LinkedHashSet<>();

  private final Pause pause;
  private boolean paused;

  /** Stops or resumes accepting. */
  @FunctionalInterface
  interface Pause {
    void set(boolean paused);
  }

  HttpConnections(Pause pause) {
    this.pause = pause;
  }

  /** A new connection. It waits for its client's first request. */
  void admit(HttpConnection connection) {
    open.add(connection);
    makeRoom();
    awaited.add(connection);
    balance();
  }

  /** The server waits for this client from now on. */
  void await(HttpConnection connection) {
    if (open.contains(connection)) {
      awaited.remove(connection);
      awaited.add(connection);
      makeRoom();
      balance();
    }
  }

  /** The client waits for the server from now on. */
  void serve(HttpConnection connection) {
    awaited.remove(connection);
    balance();
  }

  /** A connection has been closed. */
  void remove(HttpConnection connection) {
    awaited.remove(connection);
    open.remove(connection);
    balance();
  }

  private void makeRoom() {
    while (open.size() > MAX && !awaited.isEmpty()) {
      HttpConnection longest = awaited.iterator().next();
      awaited.remove(longest);
      open.remove(longest);
      longest.cutOff(LIMIT, WHY);
    }
  }

  private void balance() {
    boolean full = open.size() - awaited.size() >= MAX / 2;
    if (full != paused) {
      paused = full;
      pause.set(full);
    }
  }
}
