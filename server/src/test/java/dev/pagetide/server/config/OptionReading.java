package dev.pagetide.server.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.host.HostLimits;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** A reading of options as the command does it, on a host with 8 GiB of memory and no groups. */
public final class OptionReading {
  static final long GIB = 1L << 30;
  static final HostLimits HOST = host(1 << 20, 65530);

  /** A host with these limits. */
  static HostLimits host(long maxOpenFiles, long maxMapCount) {
    return new HostLimits(1000, 4096, 8 * GIB, Long.MAX_VALUE, GIB / 2, maxOpenFiles, maxMapCount);
  }

  private OptionReading() {}

  public static ServerOptions accepted(String... arguments) {
    return accepted(Map.of(), arguments);
  }

  /** The options, which have to be good. */
  static ServerOptions accepted(Map<String, String> environment, String... arguments) {
    return accepted(HOST, environment, arguments);
  }

  /** As above, on another host. */
  static ServerOptions accepted(
      HostLimits host, Map<String, String> environment, String... arguments) {
    OptionReader.Outcome outcome = read(host, environment, arguments);
    assertThat(outcome).isInstanceOf(OptionReader.Accepted.class);
    return ((OptionReader.Accepted) outcome).options();
  }

  static List<String> refused(String... arguments) {
    return refused(HOST, Map.of(), arguments);
  }

  static List<String> refused(Map<String, String> environment, String... arguments) {
    return refused(HOST, environment, arguments);
  }

  /** The problems, of which there have to be some. */
  static List<String> refused(
      HostLimits host, Map<String, String> environment, String... arguments) {
    OptionReader.Outcome outcome = read(host, environment, arguments);
    assertThat(outcome).isInstanceOf(OptionReader.Refused.class);
    return ((OptionReader.Refused) outcome).problems();
  }

  private static OptionReader.Outcome read(
      HostLimits host, Map<String, String> environment, String... arguments) {
    Map<ServerOption, String> given = new EnumMap<>(ServerOption.class);
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      for (ServerOption option : ServerOption.values()) {
        if (option.flag().equals(argument.substring(0, equals))) {
          given.put(option, argument.substring(equals + 1));
        }
      }
    }
    assertThat(given).hasSize(arguments.length);
    return OptionReader.read(given, List.of(), environment, host);
  }
}
