package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What is said to somebody whose input does not fit into memory. */
final class InputBytesTest {

  @Test
  void remedy_heapIsTheLimit_namesTheHeapAndItsOption() {
    assertThat(InputBytes.remedy(128L << 20, 512L << 20))
        .contains("(now 536870912 bytes)", "-Xmx", "PAGETIDE_JAVA_OPTS");
  }

  @Test
  void remedy_arrayIsTheLimit_namesNoHeap() {
    assertThat(InputBytes.remedy(Integer.MAX_VALUE - 9, 64L << 30))
        .contains("regular file")
        .doesNotContain("Xmx");
  }
}
