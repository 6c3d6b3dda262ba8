package dev.pagetide.client;

import java.util.Properties;

/**
 * The token of a session and the shape of its range, which another process needs to work on the
 * range.
 *
 * <p>A process that has the token can do everything to the range; over the Unix socket the process
 * must belong to the same user. So keep a ticket secret. {@link #toString} leaves the token out.
 *
 * @param token the session's secret token
 * @param rangeId the session's public number
 * @param pageSize bytes in a page
 * @param pageCount pages in the range
 * @param maxDataBytes most bytes that one Read or Write request may carry
 * @param serverInstance which run of the server opened the session
 */
public record SessionTicket(
    String token,
    long rangeId,
    int pageSize,
    int pageCount,
    int maxDataBytes,
    long serverInstance) {

  /**
   * Checks that there is a token and that the shape is possible.
   *
   * @throws IllegalArgumentException if the token is empty or a number is not positive
   */
  public SessionTicket {
    if (token.isEmpty()) {
      throw new IllegalArgumentException("token is empty");
    }
    if (pageSize <= 0 || pageCount <= 0 || maxDataBytes <= 0) {
      throw new IllegalArgumentException(
          "page_size, page_count and max_data_bytes must be positive; got "
              + pageSize
              + ", "
              + pageCount
              + ", "
              + maxDataBytes);
    }
  }

  /** The ticket as properties, the token included. */
  public Properties toProperties() {
    Properties properties = new Properties();
    properties.setProperty("token", token);
    properties.setProperty("range_id", Long.toUnsignedString(rangeId));
    properties.setProperty("page_size", Integer.toString(pageSize));
    properties.setProperty("page_count", Integer.toString(pageCount));
    properties.setProperty("max_data_bytes", Integer.toString(maxDataBytes));
    properties.setProperty("server_instance", Long.toUnsignedString(serverInstance));
    return properties;
  }

  /**
   * The ticket that {@link #toProperties} wrote.
   *
   * @throws IllegalArgumentException if a property is missing or is no number; the message says
   *     which one
   */
  public static SessionTicket fromProperties(Properties properties) {
    return new SessionTicket(
        text(properties, "token"),
        number(properties, "range_id"),
        Math.toIntExact(number(properties, "page_size")),
        Math.toIntExact(number(properties, "page_count")),
        Math.toIntExact(number(properties, "max_data_bytes")),
        number(properties, "server_instance"));
  }

  private static String text(Properties properties, String key) {
    String value = properties.getProperty(key);
    if (value == null) {
      throw new IllegalArgumentException(key + " is missing");
    }
    return value;
  }

  private static long number(Properties properties, String key) {
    String value = text(properties, key);
    try {
      return Long.parseUnsignedLong(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(key + "=" + value + " is no number", e);
    }
  }

  /** The public part. */
  @Override
  public String toString() {
    return "range " + Long.toUnsignedString(rangeId) + ", " + pageCount + " pages";
  }
}
