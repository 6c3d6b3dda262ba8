package dev.pagetide.client.handover;

import dev.pagetide.client.handover.Running.Latencies;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

/**
 * What does it cost to hand over a message of 0 B, 4 KiB, 64 KiB and 1 MiB to another process, by
 * each {@link Way}? Pagetide with staged buffers is wanted to have at 1 MiB at least 8 times the
 * throughput of gRPC through a relay, and at least 3 times that of Redis; at 4 KiB to be no slower
 * than gRPC's stream.
 *
 * <p>The producer writes every byte of every message in place, the consumer reads and checks every
 * one, and both is in the times. Producer, consumer and what is between them are processes of their
 * own; nobody spins. One-way is from before the producer writes until the consumer has read; round
 * trip ends when the producer has an answer of 8 bytes, by the same way. Both are of the same
 * messages, one on its way at a time. Throughput is of messages that follow each other, as many on
 * their way as suits the way best. The ways take turns, so that whatever else the machine does hits
 * all; a figure is the median of its rounds, a ratio the median of the rounds' ratios.
 *
 * <p>Sketch, for 1 MiB, where memory is warm: writing it 45 us, a copy 60 us, reading it 45 us. A
 * bare socket copies twice, in and out of the kernel, and allocates pages in between; a relay of
 * gRPC's has two sockets and as many copies in each process again, some eight in all; Redis has two
 * sockets and a copy or two. At 0 B a wake-up of another process is 5 to 15 us: one way by a bare
 * socket has one, by a relay two, by gRPC, whose event loop is a thread of its own, three.
 */
public final class HandOverComparison {
  private static final int[] SIZES = {0, 4 << 10, 64 << 10, 1 << 20};
  private static final double GRPC_LEAST = 8;
  private static final double REDIS_LEAST = 3;

  private final boolean isQuick;
  private final int rounds;
  private final Map<Way, Map<Integer, List<Measured>>> measured = new EnumMap<>(Way.class);

  /**
   * What one way came to in one round.
   *
   * @param latencies one message on its way at a time
   * @param messagesPerSecond as many on their way as the window has room for
   */
  private record Measured(Latencies latencies, double messagesPerSecond) {
    double oneWayP50() {
      return latencies.oneWay().p50();
    }

    double oneWayP99() {
      return latencies.oneWay().p99();
    }

    double roundTripP50() {
      return latencies.roundTrip().p50();
    }

    double roundTripP99() {
      return latencies.roundTrip().p99();
    }
  }

  private HandOverComparison(boolean isQuick, int rounds) {
    this.isQuick = isQuick;
    this.rounds = rounds;
  }

  /**
   * Compares.
   *
   * @param arguments the number of rounds (5 unless given), or {@code quick}: one, and short; then
   *     the {@link Way}s, all unless given
   */
  public static void main(String[] arguments) throws Exception {
    String first = arguments.length > 0 ? arguments[0] : "5";
    List<Way> ways =
        arguments.length > 1
            ? Arrays.stream(arguments).skip(1).map(Way::valueOf).toList()
            : List.of(Way.values());
    boolean isQuick = first.equals("quick");
    new HandOverComparison(isQuick, isQuick ? 1 : Integer.parseInt(first)).compare(ways);
    // Netty's threads are not daemons, and gRPC's channels end in their own time.
    System.exit(0);
  }

  private void compare(List<Way> all) throws Exception {
    List<Running> ways = new ArrayList<>();
    try {
      for (Way way : all) {
        String missing = way.make().missing();
        if (missing.isEmpty()) {
          Running running = Running.start(way);
          ways.add(running);
          running.warmUp(TimeUnit.SECONDS.toNanos(isQuick ? 4 : 40));
        } else {
          System.out.println(way.title() + " is left out: " + missing);
        }
      }
      for (int round = 0; round < rounds; round++) {
        for (int size : SIZES) {
          for (Running way : ways) {
            measure(way, size);
          }
        }
      }
    } finally {
      for (Running way : ways) {
        way.close();
      }
    }
    printFigures();
    printFloor();
    if (measured.containsKey(Way.subject())) {
      printRatios();
    }
  }

  private void measure(Running running, int size) throws Exception {
    long warmUpNanos = TimeUnit.MILLISECONDS.toNanos(isQuick ? 30 : 100);
    long latencyNanos = TimeUnit.MILLISECONDS.toNanos(isQuick ? 200 : 500);
    long throughputNanos = TimeUnit.MILLISECONDS.toNanos(isQuick ? 300 : 1_000);
    // What the other ways have done meanwhile has cooled the caches.
    var _ = running.latencies(size, warmUpNanos);
    Latencies latencies = running.latencies(size, latencyNanos);
    var _ = running.messagesPerSecond(size, warmUpNanos);
    double messagesPerSecond = running.messagesPerSecond(size, throughputNanos);
    measured
        .computeIfAbsent(running.way(), _ -> new HashMap<>())
        .computeIfAbsent(size, _ -> new ArrayList<>())
        .add(new Measured(latencies, messagesPerSecond));
  }

  private List<Measured> rounds(Way way, int size) {
    return measured.getOrDefault(way, Map.of()).getOrDefault(size, List.of());
  }

  private void printFigures() {
    System.out.printf(
        Locale.ROOT,
        "%-22s %8s | %9s %9s | %9s %9s | %9s %10s%n",
        "medians of " + rounds + " rounds",
        "bytes",
        "one-way",
        "p99, us",
        "r. trip",
        "p99, us",
        "MB/s",
        "messages/s");
    for (int size : SIZES) {
      for (Way way : measured.keySet()) {
        List<Measured> all = rounds(way, size);
        double messagesPerSecond = median(all, Measured::messagesPerSecond);
        System.out.printf(
            Locale.ROOT,
            "%-22s %8d | %9.1f %9.1f | %9.1f %9.1f | %9.1f %10.0f%n",
            way.title(),
            size,
            median(all, Measured::oneWayP50),
            median(all, Measured::oneWayP99),
            median(all, Measured::roundTripP50),
            median(all, Measured::roundTripP99),
            messagesPerSecond * size / 1e6,
            messagesPerSecond);
      }
    }
  }

  private static void printFloor() throws IOException {
    for (int size : SIZES) {
      if (size > 0) {
        CopyFloor floor = CopyFloor.measure(size);
        System.out.printf(
            Locale.ROOT,
            "one process, %7d bytes between mapped files: write %.2f, copy %.2f, read %.2f us:"
                + " %.0f MB/s, the copy alone %.0f MB/s%n",
            size,
            floor.write(),
            floor.copy(),
            floor.read(),
            floor.megabytesPerSecond(),
            size / floor.copy());
      }
    }
  }

  /** How many times better the subject is: its throughput by the other's, the other's times. */
  private void printRatios() {
    Way subject = Way.subject();
    System.out.printf(
        Locale.ROOT,
        "%-42s %8s %10s %10s %10s%n",
        "better by (medians of the rounds' ratios)",
        "bytes",
        "one-way",
        "r. trip",
        "throughput");
    for (int size : SIZES) {
      for (Way other : measured.keySet()) {
        if (other != subject) {
          printRatios(subject, other, size);
        }
      }
    }
  }

  private void printRatios(Way subject, Way other, int size) {
    List<Measured> ours = rounds(subject, size);
    List<Measured> theirs = rounds(other, size);
    double oneWay = ratio(theirs, ours, Measured::oneWayP50);
    double roundTrip = ratio(theirs, ours, Measured::roundTripP50);
    double throughput = ratio(ours, theirs, Measured::messagesPerSecond);
    System.out.printf(
        Locale.ROOT,
        "%-42s %8d %10.2f %10.2f %10.2f%s%n",
        subject.title() + " : " + other.title(),
        size,
        oneWay,
        roundTrip,
        throughput,
        subject.isStaged() ? judged(other, size, throughput, roundTrip) : "");
  }

  /** What is wanted of staged buffers beside this way, and whether it is so; else nothing. */
  private static String judged(Way other, int size, double throughput, double roundTrip) {
    boolean isGrpc = other == Way.GRPC_STREAM || other == Way.GRPC_UNARY;
    if (size == 1 << 20 && (isGrpc || other == Way.REDIS)) {
      double least = isGrpc ? GRPC_LEAST : REDIS_LEAST;
      return wanted("throughput", throughput, least);
    }
    if (size == 4 << 10 && other == Way.GRPC_STREAM) {
      return wanted("throughput", throughput, 1) + wanted("round trip", roundTrip, 1);
    }
    return "";
  }

  private static String wanted(String figure, double ratio, double least) {
    String missed = ratio < least ? " MISSED" : "";
    return String.format(Locale.ROOT, " (wanted: %s at least %.0f%s)", figure, least, missed);
  }

  /** The median of what a figure of one is in that of the other, round by round. */
  private static double ratio(
      List<Measured> of, List<Measured> to, ToDoubleFunction<Measured> figure) {
    double[] ratios = new double[of.size()];
    for (int round = 0; round < ratios.length; round++) {
      ratios[round] = figure.applyAsDouble(of.get(round)) / figure.applyAsDouble(to.get(round));
    }
    return median(ratios);
  }

  private static double median(List<Measured> all, ToDoubleFunction<Measured> figure) {
    return median(all.stream().mapToDouble(figure).toArray());
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }
}
