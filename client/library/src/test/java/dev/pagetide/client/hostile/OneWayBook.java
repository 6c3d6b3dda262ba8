package dev.pagetide.client.hostile;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.client.SenderIdentity;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Which one-way parcels a process knows to have been accepted, by their targets, and which have
 * come to it, by their senders. Two books tell of the same parcels when count and sum are the same.
 * Thread-safe.
 */
final class OneWayBook {
  @GuardedBy("this")
  private final Map<String, Page> pages = new TreeMap<>();

  /** The last number that each sender has used. */
  @GuardedBy("this")
  private final Map<SenderIdentity, Integer> last = new HashMap<>();

  private static final class Page {
    private long count;
    private long sum;

    private void add(int number) {
      count++;
      sum += Parcel.mix(number);
    }
  }

  /** The server has put a parcel before its target. */
  synchronized void accepted(String target, int number) {
    pages.computeIfAbsent(sentTo(target), _ -> new Page()).add(number);
  }

  /** A parcel has come. Throws if it is not behind all earlier ones of its sender. */
  synchronized void came(SenderIdentity sender, int number) {
    Integer before = last.put(sender, number);
    if (before != null && before >= number) {
      throw new AssertionError(sender + ": one-way " + number + " comes after " + before);
    }
    pages.computeIfAbsent(cameFrom(sender.name()), _ -> new Page()).add(number);
  }

  /** The entry about what was sent to {@code target}. */
  static String sentTo(String target) {
    return "to:" + target;
  }

  /** The entry about what came from {@code sender}. */
  static String cameFrom(String sender) {
    return "from:" + sender;
  }

  /** What {@link #toString} told, by entry. */
  static Map<String, String> parse(String line) {
    Map<String, String> entries = new HashMap<>();
    for (String entry : line.split(" ", -1)) {
      int equals = entry.indexOf('=');
      entries.put(entry.substring(0, equals), entry.substring(equals + 1));
    }
    return entries;
  }

  @Override
  public synchronized String toString() {
    return pages.entrySet().stream()
        .map(page -> page.getKey() + "=" + page.getValue().count + "/" + page.getValue().sum)
        .collect(Collectors.joining(" "));
  }
}
