package dev.pagetide.server;

import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.metrics.MetricsEndpoint;
import dev.pagetide.server.rpc.GrpcEndpoint;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.web.HttpFront;
import dev.pagetide.server.web.MeterText;
import dev.pagetide.server.web.TideMap;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Has the parts of a server listen. If an address cannot be bound, says which option to change. */
final class Binding {
  private static final Logger LOG = LoggerFactory.getLogger(Binding.class);

  private Binding() {}

  /** A part that listens on a Unix socket. */
  @FunctionalInterface
  interface Listening {
    void on(Path socket) throws IOException;
  }

  /** Starts the HTTP listener. */
  static HttpFront http(
      InetSocketAddress address,
      Duration wait,
      MetricsEndpoint metrics,
      TideMap map,
      BooleanSupplier serving,
      CutOffObserver cutOffs)
      throws StartupException {
    MeterText text =
        new MeterText() {
          @Override
          public String contentType(String accept) {
            return metrics.contentType(accept);
          }

          @Override
          public String scrape(String contentType) {
            return metrics.scrape(contentType);
          }
        };
    try {
      return HttpFront.start(address, wait, text, map, serving, cutOffs);
    } catch (IOException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "--http=%s cannot be bound: %s; choose another port, or --http=off",
              HttpFront.hostAndPort(address),
              e.getMessage()),
          e);
    }
  }

  /** Listens on TCP and returns the address, with the port that is open; null if none is asked. */
  static @Nullable InetSocketAddress tcp(@Nullable InetSocketAddress asked, GrpcEndpoint endpoint)
      throws StartupException {
    if (asked == null) {
      return null;
    }
    try {
      InetSocketAddress bound =
          new InetSocketAddress(asked.getAddress(), endpoint.listenTcp(asked));
      LOG.info("listening on {}", HttpFront.hostAndPort(bound));
      return bound;
    } catch (IOException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "--listen=%s cannot be bound: %s; choose another port",
              HttpFront.hostAndPort(asked),
              e.getMessage()),
          e);
    }
  }

  /** Has a part listen on a Unix socket. */
  static void unix(Path socket, Listening listening) throws StartupException {
    try {
      listening.on(socket);
    } catch (IOException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT, "%s cannot be bound: %s; choose another --dir", socket, e.getMessage()),
          e);
    }
  }
}
