package dev.pagetide.server.metrics;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * Serves {@code /metrics} to Prometheus: in the text format, or in OpenMetrics where it asks so.
 */
public final class MetricsEndpoint implements AutoCloseable {
  private static final String PATH = "/metrics";
  private static final String TEXT = "text/plain; version=0.0.4; charset=utf-8";
  private static final String OPEN_METRICS =
      "application/openmetrics-text; version=1.0.0; charset=utf-8";

  /** Connections that may wait to be accepted. */
  private static final int BACKLOG = 16;

  private final HttpServer http;
  private final ExecutorService executor;
  private final PrometheusMeterRegistry registry;
  private final Runnable beforeScrape;

  private MetricsEndpoint(
      HttpServer http, PrometheusMeterRegistry registry, Runnable beforeScrape) {
    this.http = http;
    this.registry = registry;
    this.beforeScrape = beforeScrape;
    this.executor =
        Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("pagetide-http").factory());
  }

  /**
   * Starts serving.
   *
   * @param address port 0: any free one
   * @param beforeScrape run before each scrape, on its thread
   * @throws IOException if the address cannot be bound
   */
  public static MetricsEndpoint start(
      InetSocketAddress address, PrometheusMeterRegistry registry, Runnable beforeScrape)
      throws IOException {
    MetricsEndpoint endpoint =
        new MetricsEndpoint(HttpServer.create(address, BACKLOG), registry, beforeScrape);
    endpoint.http.createContext("/", endpoint::handle);
    endpoint.http.setExecutor(endpoint.executor);
    endpoint.http.start();
    return endpoint;
  }

  /** Where it listens. */
  public InetSocketAddress address() {
    return http.getAddress();
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      if (!exchange.getRequestURI().getPath().equals(PATH)) {
        answer(exchange, HttpURLConnection.HTTP_NOT_FOUND, TEXT, "only " + PATH + " is here\n");
      } else if (!exchange.getRequestMethod().equals("GET")) {
        exchange.getResponseHeaders().set("Allow", "GET");
        answer(exchange, HttpURLConnection.HTTP_BAD_METHOD, TEXT, "only GET is served\n");
      } else {
        beforeScrape.run();
        String type = contentType(exchange.getRequestHeaders().getFirst("Accept"));
        answer(exchange, HttpURLConnection.HTTP_OK, type, registry.scrape(type));
      }
    }
  }

  private static String contentType(@Nullable String accept) {
    return accept != null && accept.contains("application/openmetrics-text") ? OPEN_METRICS : TEXT;
  }

  private static void answer(HttpExchange exchange, int code, String type, String text)
      throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.sendResponseHeaders(code, body.length);
    exchange.getResponseBody().write(body);
  }

  @Override
  public void close() {
    http.stop(0);
    executor.shutdownNow();
  }
}
