package dev.pagetide.client.cli.demo;

import dev.pagetide.client.cli.HumanUnits;
import java.util.List;

/** The demo's measurements in sentences: every figure stands beside the one to compare it with. */
final class Summary {

  private double mappedNanos;
  private double askedNanos;
  private long handedBytes;
  private double handedNanos;
  private double relayedNanos;
  private double copiedNanos;

  /** How long using and stopping a page took, through the mapping and by asking the server. */
  void pairs(double mapped, double asked) {
    mappedNanos = mapped;
    askedNanos = asked;
  }

  /**
   * How long moving bytes took: from one process to another and back by Pagetide, by gRPC, and
   * within one process.
   */
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

  /** Each way of moving the bytes. All of them write the bytes, move them and read them. */
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

  /** The whole summary in three lines. */
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
