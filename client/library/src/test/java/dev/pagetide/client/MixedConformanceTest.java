package dev.pagetide.client;

import dev.pagetide.server.page.BytesConformance;
import dev.pagetide.server.page.EndingsConformance;
import dev.pagetide.server.page.FailuresConformance;
import dev.pagetide.server.page.RacesConformance;
import dev.pagetide.server.page.ReclaimConformance;
import dev.pagetide.server.page.StatesConformance;
import org.junit.jupiter.api.Nested;

/** The conformance suite against sessions reached by a shared range and an attached remote one. */
final class MixedConformanceTest {
  @Nested
  final class States extends StatesConformance {
    States() {
      super(terms -> new WireServer(WireServer.Faces.MIXED, terms));
    }
  }

  @Nested
  final class Bytes extends BytesConformance {
    Bytes() {
      super(terms -> new WireServer(WireServer.Faces.MIXED, terms));
    }
  }

  @Nested
  final class Reclaim extends ReclaimConformance {
    Reclaim() {
      super(terms -> new WireServer(WireServer.Faces.MIXED, terms));
    }
  }

  @Nested
  final class Races extends RacesConformance {
    Races() {
      super(terms -> new WireServer(WireServer.Faces.MIXED, terms));
    }
  }

  @Nested
  final class Failures extends FailuresConformance {
    Failures() {
      super(terms -> new WireServer(WireServer.Faces.MIXED, terms));
    }
  }

  @Nested
  final class Endings extends EndingsConformance {
    Endings() {
      super(terms -> new WireServer(WireServer.Faces.MIXED, terms));
    }
  }
}
