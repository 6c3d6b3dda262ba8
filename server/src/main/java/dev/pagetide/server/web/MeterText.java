package dev.pagetide.server.web;

/** The meters as text, in one of the formats of Prometheus. */
public interface MeterText {
  /**
   * The content type in which a request gets the meters.
   *
   * @param accept the request's Accept header; empty if it has none
   */
  String contentType(String accept);

  /** Reads all meters. This may take long, so it does not run on an event loop. */
  String scrape(String contentType);
}
