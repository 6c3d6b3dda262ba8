package dev.pagetide.server.metrics;

import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;

/**
 * What {@code /metrics} answers to Prometheus: the meters in the text format, or in OpenMetrics if
 * the request asks for that. Thread-safe. It makes scrapes one after the other.
 */
public final class MetricsEndpoint {
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

  /**
   * The content type of the answer to a request.
   *
   * @param accept the request's Accept header; empty if it has none
   */
  public String contentType(String accept) {
    return accept.contains("application/openmetrics-text") ? OPEN_METRICS : TEXT;
  }

  /** All meters as of now, in the format of a content type. */
  public synchronized String scrape(String contentType) {
    beforeScrape.run();
    return registry.scrape(contentType);
  }
}
