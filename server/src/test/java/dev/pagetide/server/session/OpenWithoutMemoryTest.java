package dev.pagetide.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.JavaProcess;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A JVM that really has no memory left for what it keeps of a range. */
final class OpenWithoutMemoryTest {
  private static final String NOTHING_LEFT = ": charged=0 files=0 sessions=0";

  @Test
  void open_heapFull_leavesNothingAndTheNextIsOpened() throws Exception {
    JavaProcess.Launch tight = new JavaProcess.Launch(List.of(), List.of("-Xmx32m"));
    try (JavaProcess process = JavaProcess.start(tight, OpenWithoutMemory.class)) {
      for (int i = 0; i < OpenWithoutMemory.TIMES; i++) {
        assertThat(process.readLine()).isEqualTo("out of memory" + NOTHING_LEFT);
      }
      assertThat(process.readLine()).isEqualTo("opened" + NOTHING_LEFT);
      assertThat(process.awaitExit()).isZero();
    }
  }
}
