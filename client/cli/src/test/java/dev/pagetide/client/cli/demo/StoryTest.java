package dev.pagetide.client.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** How the demo tells its reader what it saw. */
final class StoryTest {
  private final ByteArrayOutputStream written = new ByteArrayOutputStream();
  private final Story story =
      new Story(new PrintStream(written, true, StandardCharsets.UTF_8), false);

  @Test
  void mapUrl_serverEndedWithTheDemo_saysHowToKeepIt() {
    story.mapUrl("http://127.0.0.1:1/?key=k", false);

    assertThat(written.toString(StandardCharsets.UTF_8))
        .contains("http://127.0.0.1:1/?key=k", "--stay");
  }

  @Test
  void mapUrl_serverStayed_saysNothingOfHowToKeepIt() {
    story.mapUrl("http://127.0.0.1:1/?key=k", true);

    assertThat(written.toString(StandardCharsets.UTF_8))
        .contains("http://127.0.0.1:1/?key=k")
        .doesNotContain("--stay");
  }
}
