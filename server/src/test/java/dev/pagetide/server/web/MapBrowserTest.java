package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Requires;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The browser that shows the tide map is the one on the PATH, not one that its driver finds. */
@Tag(Requires.TAG)
final class MapBrowserTest {
  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path folder;

  @Test
  void start_aCommand_startsThatOneAndNoOther() throws Exception {
    Path chromium = Requires.command("chromium", "it is started");
    Path started = folder.resolve("started");
    Path command = folder.resolve("chromium");
    Files.writeString(
        command, "#!/bin/sh\necho yes >'%s'\nexec '%s' \"$@\"\n".formatted(started, chromium));
    Files.setPosixFilePermissions(command, PosixFilePermissions.fromString("rwxr-xr-x"));

    try (MapBrowser browser = MapBrowser.start(command)) {
      assertThat(browser.ask("6 * 7")).isEqualTo("42");
    }

    assertThat(started).hasContent("yes\n");
  }
}
