package dev.pagetide.server.metrics;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Answers {@code /metrics} to Prometheus in the text format, or in OpenMetrics if the request asks
 * for that. Thread-safe. It makes scrapes one after the other, and sends each at its reader's pace.
 */
public final class MetricsEndpoint implements HttpHandler {
  private static final String TEXT = "text/plain; version=0.0.4; charset=utf-8";
  private static final String OPEN_METRICS =
      "application/openmetrics-text; version=1.0.0; charset=utf-8";

  private final PrometheusMeterRegistry registry;
  private final Runnable beforeScrape;

  /**
   * An endpoint over a registry.
   *
   * @param beforeScrape runs before each scrape, on the thread of the scrape, never twice at once
   */
  public MetricsEndpoint(PrometheusMeterRegistry registry, Runnable beforeScrape) {
    this.registry = registry;
    this.beforeScrape = beforeScrape;
  }

  @Override
  public void handle(HttpExchange exchange) throws IOException {
    String type = contentType(exchange.getRequestHeaders().getFirst("Accept"));
    switch (exchange.getRequestMethod()) {
      case "GET" -> answer(exchange, HttpURLConnection.HTTP_OK, type, scrape(type));
      case "HEAD" -> {
        exchange.getResponseHeaders().set("Content-Type", type);
        // No length, because we would have to read the meters to know it.
        exchange.sendResponseHeaders(HttpURLConnection.HTTP_OK, -1);
      }
      default -> {
        exchange.getResponseHeaders().set("Allow", "GET, HEAD");
        answer(exchange, HttpURLConnection.HTTP_BAD_METHOD, TEXT, "only GET and HEAD are served\n");
      }
    }
  }

  private synchronized String scrape(String type) {
    beforeScrape.run();
    return registry.scrape(type);
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
}
