package dev.pagetide.client.hostile;

import dev.pagetide.client.PagetideException;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;

/** How often each thing came about, by its name. Thread-safe. */
final class Tally {
  private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();

  /** Once more. */
  void count(String what) {
    count(what, 1);
  }

  /** So many times more. */
  void count(String what, long times) {
    counts.computeIfAbsent(what, _ -> new LongAdder()).add(times);
  }

  /** How often so far. */
  long of(String what) {
    LongAdder count = counts.get(what);
    return count == null ? 0 : count.sum();
  }

  /** Adds what another one's {@link #toString} tells. */
  void addParsed(String line) {
    for (String entry : line.split(" ", -1)) {
      int equals = entry.indexOf('=');
      count(entry.substring(0, equals), Long.parseLong(entry.substring(equals + 1)));
    }
  }

  /** A failure's reason, or, where the library itself refused, its code. */
  static String nameOf(PagetideException failure) {
    return failure.reason().map(reason -> reason.name()).orElse("local-" + failure.code());
  }

  @Override
  public String toString() {
    return new TreeMap<>(counts)
        .entrySet().stream()
            .map(entry -> entry.getKey() + "=" + entry.getValue())
            .collect(Collectors.joining(" "));
  }
}
