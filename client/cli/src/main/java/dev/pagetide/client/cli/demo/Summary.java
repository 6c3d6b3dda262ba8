package dev.pagetide.client.cli.demo;

import dev.pagetide.client.cli.HumanUnits;
import java.util.List;

/** What the demo measured, in sentences: every figure beside the one it is to be compared with. */
final class Summary {

  private double mappedNanos;
  private double askedNanos;
  private long handedBytes;
  private double handedNanos;
  private double relayedNanos;
  private double copiedNanos;

  /** What a page's use and stop took, by mapping and where the server was asked. */
  void pairs(double mapped, double asked) {
    mappedNanos = mapped;
    askedNanos = asked;
  }

  /** What bytes took from one process to another and back, by gRPC, and in one process. */
  void handed(long bytes, double handed, double relayed, double copied) {
    handedBytes = bytes;
    handedNanos = handed;
    relayedNanos = relayed;
    copiedNanos = copied;
  }

  String ofPairs() {
    return "use + stop: "
        + DemoFigures.time(mappedNanos)
        + "; asking the server: "
        + DemoFigures.time(askedNanos)
        + ", "
        + DemoFigures.ratio(askedNanos / mappedNanos)
        + " times as much";
  }

  /** Each way of moving the bytes; all write them, move them and read them. */
  List<String> ofHandedInDetail() {
    return List.of(
        "Pagetide, from writing them to the reply: "
            + DemoFigures.time(handedNanos)
            + ", "
            + DemoFigures.rate(handedBytes, handedNanos),
        "relayed gRPC: "
            + DemoFigures.time(relayedNanos)
            + ", "
            + DemoFigures.rate(handedBytes, relayedNanos)
            + ", "
            + DemoFigures.ratio(relayedNanos / handedNanos)
            + " times as long",
        "written, copied and read in one process: "
            + DemoFigures.time(copiedNanos)
            + ", "
            + DemoFigures.rate(handedBytes, copiedNanos));
  }

  /** All of it in three lines. */
  List<String> lines() {
    return List.of(
        ofPairs(),
        HumanUnits.bytes((double) handedBytes)
            + " to another process: "
            + DemoFigures.rate(handedBytes, handedNanos)
            + "; relayed gRPC: "
            + DemoFigures.rate(handedBytes, relayedNanos)
            + "; written, copied and read in one process: "
            + DemoFigures.rate(handedBytes, copiedNanos),
        "20 pages reclaimed, the oldest first; used pages kept their bytes; what a killed client"
            + " held came back");
  }
}
