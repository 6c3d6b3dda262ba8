package dev.pagetide.server;

import com.google.protobuf.ByteString;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.ScanRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Some sessions at work, as one would find them on a host: for pictures. */
final class MapScene {
  private static final int PAGES = 512;

  private MapScene() {}

  /** Opens eight sessions, and leaves them with USED, AVAILABLE and FREE pages. */
  static void open(TestServer server) {
    Random random = new Random(7);
    String[] names = {
      "thumbnails", "session cache", "parser", "frames", "sort runs", "index", "inbox", "scratch"
    };
    List<RawSession> sessions = new ArrayList<>();
    for (String name : names) {
      RawSession session = RawSession.open(server.connect(), name, (long) PAGES * RawSession.PAGE);
      var _ = session.use(0, PAGES * (3 + random.nextInt(5)) / 8);
      session.write(0, ByteString.copyFromUtf8(name));
      sessions.add(session);
    }
    for (RawSession session : sessions) {
      for (int burst = 0; burst < 6; burst++) {
        List<PageSpan> stopped = new ArrayList<>();
        for (int run = 0; run < 4; run++) {
          int start = random.nextInt(PAGES - 24);
          stopped.add(RawSession.span(start, start + 4 + random.nextInt(20)));
        }
        session.stop(stopped);
      }
    }
  }

  /** Reclaims some of their oldest pages. */
  static void reclaim(TestServer server) {
    var _ = server.shrinker().scan(ScanRequest.newBuilder().setPages(150).build());
  }
}
