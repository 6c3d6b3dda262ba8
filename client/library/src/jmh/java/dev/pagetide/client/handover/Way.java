package dev.pagetide.client.handover;

import java.util.Arrays;

/** The ways that are compared, in the order they are shown. */
enum Way {
  /** Pagetide, written in place. */
  PAGETIDE_STAGED("Pagetide, staged"),
  /** Pagetide, without the mapping. */
  PAGETIDE_MESSAGE("Pagetide, by message"),
  /** gRPC, a call a message. */
  GRPC_UNARY("gRPC unary, relayed"),
  /** gRPC, a call for all. */
  GRPC_STREAM("gRPC stream, relayed"),
  /** Redis. */
  REDIS("Redis list"),
  /** What all the others go through. */
  BARE_SOCKET("bare Unix socket");

  private final String title;

  Way(String title) {
    this.title = title;
  }

  String title() {
    return title;
  }

  /** Whether it is Pagetide's with staged buffers, of which the ratios are when it is there. */
  boolean isStaged() {
    return name().equals("PAGETIDE_STAGED");
  }

  /** The way that is compared with all others. */
  static Way subject() {
    return Arrays.stream(values()).filter(Way::isStaged).findFirst().orElse(BARE_SOCKET);
  }

  /** A new object, for this process. */
  HandOver make() {
    return switch (this) {
      case PAGETIDE_STAGED -> new PagetideStaged();
      case PAGETIDE_MESSAGE -> new PagetideMessage();
      case GRPC_UNARY -> new RelayedUnary();
      case GRPC_STREAM -> new RelayedStream();
      case REDIS -> new RedisList();
      case BARE_SOCKET -> new BareSocket();
    };
  }
}
