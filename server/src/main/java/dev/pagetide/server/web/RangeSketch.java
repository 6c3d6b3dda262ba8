package dev.pagetide.server.web;

import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import java.util.Base64;

/**
 * What the map tells of one range, and the version at which it changed last. Guarded by the {@link
 * TideModel}'s lock.
 */
final class RangeSketch {
  private static final byte[] NOTHING = new byte[0];

  private final Session session;
  private final long bornVersion;
  private long version;
  private byte[] runs = NOTHING;
  private int available;
  private int used;
  private int contradictions;
  private long strays;
  private int highWatermark;
  private long usedSinceTick = PageRuns.NOT_USED;

  /** A range that is new to the map; it has changed with {@code version}. */
  RangeSketch(Session session, long version) {
    this.session = session;
    this.bornVersion = version;
    this.version = version;
  }

  /**
   * Takes over what was seen; tells whether that differs from what is told.
   *
   * @param withAges whether it was asked how long pages have been USED; else that stays as it was
   */
  boolean take(PageRuns seen, boolean withAges) {
    long seenUsedSince = withAges ? seen.usedSinceTick() : usedSinceTick;
    long seenStrays = session.range().strays();
    if (seen.sameAs(runs) && seenStrays == strays && seenUsedSince == usedSinceTick) {
      return false;
    }
    runs = seen.toBytes();
    available = seen.available();
    used = session.range().pageCount() - seen.free() - seen.available();
    contradictions = seen.contradictions();
    strays = seenStrays;
    usedSinceTick = seenUsedSince;
    highWatermark = session.range().highWatermark();
    return true;
  }

  /** The version of its last change. */
  long version() {
    return version;
  }

  void changed(long newVersion) {
    version = newVersion;
  }

  long rangeId() {
    return session.rangeId();
  }

  int available() {
    return available;
  }

  int used() {
    return used;
  }

  int contradictions() {
    return contradictions;
  }

  long strays() {
    return strays;
  }

  int pageCount() {
    return session.range().pageCount();
  }

  /** Tells it to somebody who knows everything up to a version. */
  void tell(Json json, long knownVersion) {
    json.object().field("id", session.rangeId());
    if (knownVersion < bornVersion) {
      Peer peer = session.peer();
      json.field("name", session.name())
          .field("pid", peer.pid())
          .field("uid", peer.uid())
          .field("mode", session.range().mode().name())
          .field("transport", peer.transport().name())
          .field("opened", session.openTime().toEpochMilli())
          .field("pages", session.range().pageCount());
    }
    json.field("available", available)
        .field("used", used)
        .field("contradictions", contradictions)
        .field("strays", strays)
        .field("high", highWatermark)
        .field("usedSince", usedSinceTick)
        .field("runs", Base64.getEncoder().encodeToString(runs))
        .endObject();
  }
}
