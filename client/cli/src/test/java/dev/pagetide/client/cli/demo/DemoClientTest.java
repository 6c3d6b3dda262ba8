package dev.pagetide.client.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** How the demo's clients are started. */
final class DemoClientTest {

  @Test
  void command_javaOptions_arePassedOnBeforeTheClass() {
    List<String> plain = DemoClient.command("");

    List<String> command = DemoClient.command("  -Xmx64m\t-Djava.io.tmpdir=/var/tmp ");

    assertThat(plain)
        .contains("-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir"))
        .doesNotContain("");
    assertThat(command)
        .containsSubsequence(
            "-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir"),
            "-Xmx64m",
            "-Djava.io.tmpdir=/var/tmp",
            "dev.pagetide.client.cli.Pagetide");
    assertThat(command).hasSize(plain.size() + 2);
  }
}
