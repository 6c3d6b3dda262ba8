package dev.pagetide.client;

import dev.pagetide.server.page.BytesConformance;
import dev.pagetide.server.page.EndingsConformance;
import dev.pagetide.server.page.FailuresConformance;
import dev.pagetide.server.page.RacesConformance;
import dev.pagetide.server.page.ReclaimConformance;
import dev.pagetide.server.page.StatesConformance;
import org.junit.jupiter.api.Nested;

/** The conformance suite against ranges whose every operation is an rpc. */
final class RemoteConformanceTest {
  @Nested
  final class States extends StatesConformance {
    States() {
      super(terms -> new WireServer(WireServer.Faces.REMOTE, terms));
    }
  }

  @Nested
  final class Bytes extends BytesConformance {
    Bytes() {
      super(terms -> new WireServer(WireServer.Faces.REMOTE, terms));
    }
  }

  @Nested
  final class Reclaim extends ReclaimConformance {
    Reclaim() {
      super(terms -> new WireServer(WireServer.Faces.REMOTE, terms));
    }
  }

  @Nested
  final class Races extends RacesConformance {
    Races() {
      super(terms -> new WireServer(WireServer.Faces.REMOTE, terms));
    }
  }

  @Nested
  final class Failures extends FailuresConformance {
    Failures() {
      super(terms -> new WireServer(WireServer.Faces.REMOTE, terms));
    }
  }

  @Nested
  final class Endings extends EndingsConformance {
    Endings() {
      super(terms -> new WireServer(WireServer.Faces.REMOTE, terms));
    }
  }
}
