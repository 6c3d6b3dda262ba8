package dev.pagetide.server.page;

import org.junit.jupiter.api.Nested;

/** The conformance suite against ranges in this process. */
final class InProcessConformanceTest {
  @Nested
  final class States extends StatesConformance {
    States() {
      super(InProcess::new);
    }
  }

  @Nested
  final class Bytes extends BytesConformance {
    Bytes() {
      super(InProcess::new);
    }
  }

  @Nested
  final class Reclaim extends ReclaimConformance {
    Reclaim() {
      super(InProcess::new);
    }
  }

  @Nested
  final class Races extends RacesConformance {
    Races() {
      super(InProcess::new);
    }
  }

  @Nested
  final class Failures extends FailuresConformance {
    Failures() {
      super(InProcess::new);
    }
  }

  @Nested
  final class Endings extends EndingsConformance {
    Endings() {
      super(InProcess::new);
    }
  }
}
