package dev.pagetide.client.cli.top;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.client.PagetideClient;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The client that asks the server. It is created again while there is no connection. Thread-safe.
 */
final class TopSource implements AutoCloseable {
  private final Supplier<PagetideClient> connect;

  @GuardedBy("this")
  private @Nullable PagetideClient client;

  @GuardedBy("this")
  private boolean closed;

  /** A source that has asked nothing yet. */
  TopSource(Supplier<PagetideClient> connect) {
    this.connect = connect;
  }

  /**
   * Asks the server.
   *
   * @throws dev.pagetide.client.PagetideException if the server does not answer, or there is none
   */
  TopSnapshot ask() {
    return TopSnapshot.of(client().shrinker());
  }

  private synchronized PagetideClient client() {
    if (closed) {
      throw new IllegalStateException("closed");
    }
    PagetideClient connected = client;
    if (connected == null) {
      connected = connect.get();
      client = connected;
    }
    return connected;
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (client != null) {
      client.close();
    }
  }
}
