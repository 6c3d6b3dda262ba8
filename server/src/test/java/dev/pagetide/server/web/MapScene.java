package dev.pagetide.server.web;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.ScanRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Some sessions at work, as one would find them on a host: for pictures. */
final class MapScene {
  private static final int PAGES = 512;

  private static final Random RANDOM = new Random(7);

  private MapScene() {}

  /** Opens eight sessions, some with more of their pages USED than others. */
  static List<RawSession> open(TestServer server) {
    String[] names = {
      "thumbnails", "session cache", "parser", "frames", "sort runs", "index", "inbox", "scratch"
    };
    List<RawSession> sessions = new ArrayList<>();
    for (String name : names) {
      RawSession session = RawSession.open(server.connect(), name, (long) PAGES * RawSession.PAGE);
      var _ = session.use(0, PAGES * (3 + RANDOM.nextInt(4)) / 8);
      sessions.add(session);
    }
    return sessions;
  }

  /**
   * Stops some pages of each, uses others, and reclaims some of the oldest.
   *
   * @return pages reclaimed since the server started, for the operator
   */
  static long tide(TestServer server, List<RawSession> sessions) {
    for (RawSession session : sessions) {
      List<PageSpan> stopped = new ArrayList<>();
      for (int run = 0; run < 4; run++) {
        int start = RANDOM.nextInt(PAGES - 24);
        stopped.add(RawSession.span(start, start + 4 + RANDOM.nextInt(20)));
      }
      session.stop(stopped);
      int used = RANDOM.nextInt(PAGES - 24);
      var _ = session.use(used, used + RANDOM.nextInt(24));
    }
    var _ =
        server.shrinker().scan(ScanRequest.newBuilder().setPages(40 + RANDOM.nextInt(60)).build());
    return Math.round(server.metric("pagetide_pages_reclaimed_total"));
  }
}
