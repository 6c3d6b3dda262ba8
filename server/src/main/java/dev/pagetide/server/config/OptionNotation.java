package dev.pagetide.server.config;

import dev.pagetide.server.pressure.PressureMode;
import dev.pagetide.server.transaction.TransactRule;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The notation of option values: sizes, times, counts, modes, switches and addresses.
 *
 * <p>Each function throws an {@link IllegalArgumentException} if the text is wrong. Its message
 * says what is wrong and how to write it.
 */
public final class OptionNotation {
  /** The word that turns something off. */
  public static final String OFF = "off";

  private static final Pattern NUMBER_AND_UNIT = Pattern.compile("([0-9]+)([A-Za-z]*)");

  private OptionNotation() {}

  /** A size in bytes: {@code 65536}, {@code 64KiB}, {@code 4MiB}, {@code 1GiB}, {@code 1TiB}. */
  static long sizeBytes(String text) {
    String expected = "write a size as 65536, 64KiB, 4MiB or 1GiB";
    Matcher parts = NUMBER_AND_UNIT.matcher(text);
    if (!parts.matches()) {
      throw new IllegalArgumentException("not a size; " + expected);
    }
    int shift =
        switch (parts.group(2)) {
          case "" -> 0;
          case "KiB" -> 10;
          case "MiB" -> 20;
          case "GiB" -> 30;
          case "TiB" -> 40;
          default ->
              throw new IllegalArgumentException(
                  "unknown unit '" + parts.group(2) + "'; " + expected);
        };
    return multiply(parts.group(1), 1L << shift, expected);
  }

  /** A time: {@code 500ms}, {@code 2s}. */
  static Duration time(String text) {
    String expected = "write a time as 500ms or 2s";
    Matcher parts = NUMBER_AND_UNIT.matcher(text);
    if (!parts.matches()) {
      throw new IllegalArgumentException("not a time; " + expected);
    }
    long millis =
        switch (parts.group(2)) {
          case "ms" -> 1;
          case "s" -> 1000;
          case "" -> throw new IllegalArgumentException("unit missing; " + expected);
          default ->
              throw new IllegalArgumentException(
                  "unknown unit '" + parts.group(2) + "'; " + expected);
        };
    return Duration.ofMillis(multiply(parts.group(1), millis, expected));
  }

  /** A whole number, not negative. */
  static long count(String text) {
    String expected = "write a whole number as 1024";
    Matcher parts = NUMBER_AND_UNIT.matcher(text);
    if (!parts.matches() || !parts.group(2).isEmpty()) {
      throw new IllegalArgumentException("not a whole number; " + expected);
    }
    return multiply(parts.group(1), 1, expected);
  }

  /**
   * The mode of a socket: 0600, 0660 or 0666. Connecting takes both read and write permission, so
   * other modes would promise what the kernel refuses.
   */
  static int socketMode(String text) {
    return switch (text) {
      case "0600", "600" -> 0600;
      case "0660", "660" -> 0660;
      case "0666", "666" -> 0666;
      default ->
          throw new IllegalArgumentException(
              "not a mode for a socket; give 0600 (own uid), 0660 (a group too) or 0666 (everybody"
                  + " on this host)");
    };
  }

  /** What the server does about the host's pressure: {@code on}, {@code off}, {@code dry-run}. */
  static PressureMode pressure(String text) {
    return switch (text) {
      case "on" -> PressureMode.ON;
      case OFF -> PressureMode.OFF;
      case "dry-run" -> PressureMode.DRY_RUN;
      default ->
          throw new IllegalArgumentException(
              "not one of on, off, dry-run; give on, unless something else answers the host's"
                  + " pressure");
    };
  }

  /** Which users may transact to which: {@code own}, or pairs of uids, {@code 1000:0,any:1001}. */
  static TransactRule transactRule(String text) {
    if (text.equals("own")) {
      return TransactRule.OWN;
    }
    Set<TransactRule.Pair> pairs = new HashSet<>();
    for (String pair : text.split(",", -1)) {
      String[] ends = pair.split(":", -1);
      if (ends.length != 2) {
        throw new IllegalArgumentException(
            "'" + pair + "' is no pair; write own, or FROM:TO,... as 1000:0,any:1001");
      }
      pairs.add(new TransactRule.Pair(uid(ends[0]), uid(ends[1])));
    }
    return new TransactRule(pairs);
  }

  private static long uid(String text) {
    if (text.equals("any")) {
      return TransactRule.ANY;
    }
    // The largest number is no user: for the kernel it means "no user".
    if (!text.matches("[0-9]{1,10}") || Long.parseLong(text) >= 0xFFFF_FFFFL) {
      throw new IllegalArgumentException(
          "'" + text + "' is no uid; write a number as 1000, or the word any");
    }
    return Long.parseLong(text);
  }

  /** A resolved address: {@code 127.0.0.1:9464}, {@code localhost:0}, {@code [::1]:9464}. */
  static InetSocketAddress address(String text) {
    String expected = "write HOST:PORT as 127.0.0.1:9464 or [::1]:9464, or " + OFF;
    int colon = text.lastIndexOf(':');
    String host = colon < 0 ? "" : text.substring(0, colon);
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    if (bracketed) {
      host = host.substring(1, host.length() - 1);
    }
    // Without brackets the last group of an IPv6 address looks like a port.
    if (host.isEmpty() || host.contains(":") != bracketed) {
      throw new IllegalArgumentException("not an address; " + expected);
    }
    String port = text.substring(colon + 1);
    if (!port.matches("[0-9]{1,9}") || Integer.parseInt(port) > 65535) {
      throw new IllegalArgumentException(
          "port '" + port + "' is not within [0, 65535]; " + expected);
    }
    try {
      return new InetSocketAddress(InetAddress.getByName(host), Integer.parseInt(port));
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException(
          "host '" + host + "' is unknown here; give an address of this host, or " + OFF, e);
    }
  }

  private static long multiply(String digits, long unit, String expected) {
    try {
      return Math.multiplyExact(Long.parseLong(digits), unit);
    } catch (NumberFormatException | ArithmeticException e) {
      throw new IllegalArgumentException("over " + Long.MAX_VALUE + "; " + expected, e);
    }
  }
}
