package dev.pagetide.server.pressure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.host.ControlGroup;
import dev.pagetide.server.os.KernelEvents;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A PSI file that comes, goes and comes back: recorded ones, into which triggers are written as
 * into the kernel's, and one of the kernel's own.
 */
final class StallSourceTest {
  private static final String GROUPS_FILE = "sys/fs/cgroup/a/memory.pressure";
  private static final String MACHINES_FILE = "proc/pressure/memory";

  /** What triggers overwrite; the totals come in the lines after it. */
  private static final String ROOM_FOR_TRIGGERS = "=".repeat(60) + "\n";

  private static final String TOTALS =
      ROOM_FOR_TRIGGERS
          + "some avg10=0.00 avg60=0.00 avg300=0.00 total=54111\n"
          + "full avg10=0.00 avg60=0.00 avg300=0.00 total=22051\n";

  @TempDir Path root;

  @SuppressWarnings("NullAway.Init")
  private RecordedHost host;

  @BeforeEach
  void recordHost() throws IOException {
    host = new RecordedHost(root);
    host.version2("/a");
  }

  private static StallSource find(Path root, KernelEvents events) {
    return StallSource.find(root, events, () -> 0, 0);
  }

  private void assertArmed(String file) throws IOException {
    assertThat(root.resolve(file)).content().startsWith(StallTrigger.FULL_100.text());
  }

  private void assertNotArmed(String file) throws IOException {
    assertThat(root.resolve(file)).hasContent(TOTALS);
  }

  @Test
  void ask_fileSwitchedOffAndOn_isArmedAgain() throws Exception {
    host.write(GROUPS_FILE, TOTALS);
    try (KernelEvents events = KernelEvents.open();
        StallSource source = find(root, events)) {
      assertThat(source.missing()).isNull();
      assertArmed(GROUPS_FILE);

      host.write(GROUPS_FILE, "");
      assertThatThrownBy(() -> source.ask(1, Set.of())).isInstanceOf(IOException.class);
      assertThat(source.missing()).contains("no line 'some");
      assertThat(source.ask(2, Set.of())).as("told once, then looked for in silence").isNull();
      assertThat(source.missing()).contains(GROUPS_FILE + " cannot be armed");

      host.write(GROUPS_FILE, TOTALS);
      assertThat(source.ask(1 + StallSource.SEARCH_NANOS, Set.of())).isNull();
      assertThat(source.missing()).as("not looked for yet").isNotNull();
      assertNotArmed(GROUPS_FILE);
      source.ask(2 + StallSource.SEARCH_NANOS, Set.of());

      assertThat(source.missing()).isNull();
      assertArmed(GROUPS_FILE);
    }
  }

  @Test
  void ask_missingFromTheStart_isArmedWhenItComes() throws Exception {
    try (KernelEvents events = KernelEvents.open();
        StallSource source = find(root, events)) {
      assertThat(source.missing()).contains("there is no " + root.resolve(GROUPS_FILE));

      host.write(MACHINES_FILE, TOTALS);
      source.ask(StallSource.SEARCH_NANOS, Set.of());

      assertThat(source.missing()).isNull();
      assertArmed(MACHINES_FILE);
    }
  }

  @Test
  void ask_groupHasNone_takesTheMachinesUntilTheGroupHas() throws Exception {
    host.write(MACHINES_FILE, TOTALS);
    try (KernelEvents events = KernelEvents.open();
        StallSource source = find(root, events)) {
      assertThat(source.missing()).isNull();
      assertArmed(MACHINES_FILE);

      host.write(GROUPS_FILE, TOTALS);
      source.ask(StallSource.SEARCH_NANOS - 1, Set.of());
      assertNotArmed(GROUPS_FILE);
      source.ask(StallSource.SEARCH_NANOS, Set.of());
      assertArmed(GROUPS_FILE);

      host.write(MACHINES_FILE, TOTALS);
      source.ask(2 * StallSource.SEARCH_NANOS, Set.of());
      assertNotArmed(MACHINES_FILE);
      assertThat(descriptorsBelow(root.resolve("proc"))).as("of the machine's file").isZero();
    }
    assertThat(descriptorsBelow(root)).isZero();
  }

  private static long descriptorsBelow(Path folder) throws IOException {
    try (var open = Files.list(Path.of("/proc/self/fd"))) {
      return open.filter(link -> target(link).startsWith(folder)).count();
    }
  }

  private static Path target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor);
    } catch (IOException e) {
      return descriptor; // the one that lists the others
    }
  }

  @Tag(Requires.TAG)
  @Test
  void ask_kernelsOwnFileSwitchedOffAndOn_isArmedAgain() throws Exception {
    Requires.root("only root makes control groups");
    ControlGroup own =
        ControlGroup.ofThisProcess(Path.of("/")).stream()
            .filter(each -> each.version() == ControlGroup.Version.V2)
            .findFirst()
            .orElse(null);
    Requires.ofKernel(
        own != null && Files.exists(own.folder().resolve("cgroup.pressure")),
        "stalls by control group that can be switched off");
    if (own == null) {
      throw new AssertionError("checked above");
    }
    Path made = own.folder().resolve("pagetide-test-off-" + ProcessHandle.current().pid());
    try {
      Files.createDirectory(made);
    } catch (FileSystemException e) {
      Requires.ofKernel(false, "control groups that can be made here: " + e.getMessage());
    }
    Path groups = root.resolve("sys/fs/cgroup");
    Files.createDirectories(groups.getParent());
    Files.createSymbolicLink(groups, own.folder());
    host.write("proc/self/cgroup", "0::/" + made.getFileName() + "\n");
    Path stalls = made.resolve("memory.pressure");
    try (KernelEvents events = KernelEvents.open();
        StallSource source = find(root, events)) {
      Requires.ofKernel(source.missing() == null, "triggers of a group's own stalls");

      Files.writeString(made.resolve("cgroup.pressure"), "0");
      assertThat(stalls).doesNotExist();
      assertThat(events.await(Integer.MAX_VALUE).isEmpty()).as("woken, and nothing fired").isTrue();
      source.ask(1, Set.of());
      assertThat(source.missing()).isNotNull();

      Files.writeString(made.resolve("cgroup.pressure"), "1");
      source.ask(1 + StallSource.SEARCH_NANOS, Set.of());

      assertThat(source.missing()).isNull();
      assertThat(events.hasLost()).isFalse();
      assertThat(events.await(1).isEmpty()).isTrue();
      source.ask(2 + StallSource.SEARCH_NANOS, Set.of());
      assertThat(source.missing()).isNull();
    } finally {
      Files.deleteIfExists(groups); // what clears the folder must not follow it
      Files.deleteIfExists(made);
    }
  }
}
