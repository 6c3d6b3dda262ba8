package dev.pagetide.server.web;

import com.google.gson.stream.JsonWriter;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import java.io.IOException;
import java.util.Base64;

/**
 * What the map shows of one range, and the version of its last change. Guarded by the {@link
 * MapFeed}'s lock.
 */
final class RangeView {
  private static final byte[] NOTHING = new byte[0];

  private final Session session;
  private long version;
  private byte[] encoder = NOTHING;
  private int available;
  private int used;
  private int contradictions;
  private long strays;
  private int highWatermark;
  private long usedSinceTick = RunLengthEncoder.NOT_USED;

  /** A range that is new to the map; it has changed with {@code version}. */
  RangeView(Session session, long version) {
    this.session = session;
    this.version = version;
  }

  /**
   * Takes over a new reading. Returns whether it differs from what the map shows.
   *
   * @param withAges whether the reading has how long pages have been USED; if not, that stays as it
   *     was
   */
  boolean take(RunLengthEncoder seen, boolean withAges) {
    long seenUsedSince = withAges ? seen.usedSinceTick() : usedSinceTick;
    long seenStrays = session.range().strays();
    int seenUsed = session.range().pageCount() - seen.free() - seen.available();
    // Compare the counts, too: if there are too many runs, they end before the change.
    if (seen.sameAs(encoder)
        && seen.available() == available
        && seenUsed == used
        && seen.contradictions() == contradictions
        && seenStrays == strays
        && seenUsedSince == usedSinceTick) {
      return false;
    }
    encoder = seen.toBytes();
    available = seen.available();
    used = seenUsed;
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

  int pageCount() {
    return session.range().pageCount();
  }

  /**
   * Writes the range into a watcher's frame.
   *
   * @param first whether the watcher has not got this range before: then also what never changes
   */
  void tell(JsonWriter json, boolean first) throws IOException {
    json.beginObject().name("id").value(session.rangeId());
    if (first) {
      Peer peer = session.peer();
      json.name("name").value(session.name());
      json.name("pid").value(peer.pid());
      json.name("uid").value(peer.uid());
      json.name("mode").value(session.range().mode().name());
      json.name("transport").value(peer.transport().name());
      json.name("opened").value(session.openTime().toEpochMilli());
      json.name("pages").value(session.range().pageCount());
    }
    json.name("available").value(available);
    json.name("used").value(used);
    json.name("contradictions").value(contradictions);
    json.name("strays").value(strays);
    json.name("high").value(highWatermark);
    json.name("usedSince").value(usedSinceTick);
    json.name("runs").value(Base64.getEncoder().withoutPadding().encodeToString(encoder));
    json.endObject();
  }
}
