package dev.pagetide.server.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.testkit.Requires;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The waiting is real, and so is the kernel's own PSI file where this kernel has one. */
final class KernelEventsTest {
  private static final Path STALLS = Path.of("/proc/pressure/memory");
  private static final String TRIGGER = "some 100000 2000000";

  /** Longer than any test may take: who waits that long was not woken. */
  private static final int FOR_EVER_MILLIS = Integer.MAX_VALUE;

  @TempDir Path folder;

  @Test
  void await_nothingArmed_endsWhenTheTimeIsUp() throws Exception {
    try (KernelEvents events = KernelEvents.open()) {
      assertThat(events.await(1).isEmpty()).isTrue();
    }
  }

  @Test
  void wake_waitUnderWay_endsItAndAllLaterOnes() throws Exception {
    try (KernelEvents events = KernelEvents.open()) {
      CompletableFuture<Boolean> nothing = new CompletableFuture<>();
      Thread waiting =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  nothing.complete(events.await(FOR_EVER_MILLIS).isEmpty());
                } catch (SystemCallException e) {
                  nothing.completeExceptionally(e);
                }
              });

      events.wake();

      assertThat(nothing.get(30, TimeUnit.SECONDS)).isTrue();
      waiting.join();
      assertThat(events.await(FOR_EVER_MILLIS).isEmpty()).isTrue();
      events.wake();
      assertThat(events.await(FOR_EVER_MILLIS).isEmpty()).isTrue();
    }
  }

  @Tag(Requires.TAG)
  @Test
  void armAll_kernelsOwnFile_takesItAndWaits() throws Exception {
    try (KernelEvents events = KernelEvents.open()) {
      armOrSkip(events);

      // Whether this machine stalls right now is not ours to say: only that waiting works.
      assertThat(events.await(1).length()).isLessThanOrEqualTo(1);
      events.wake();
      assertThat(events.await(FOR_EVER_MILLIS).length()).isLessThanOrEqualTo(1);
    }
  }

  @Tag(Requires.TAG)
  @Test
  void armAll_textThatTheKernelRefuses_leavesNothingArmedOrOpen() throws Exception {
    try (KernelEvents events = KernelEvents.open()) {
      armOrSkip(events);
      long before = openStalls();

      assertThatThrownBy(() -> events.armAll(STALLS, List.of(TRIGGER, "some nonsense")))
          .isInstanceOf(SystemCallException.class)
          .hasMessageStartingWith("write(")
          .hasMessageEndingWith("EINVAL");

      assertThat(openStalls()).isEqualTo(before);
    }
  }

  @Tag(Requires.TAG)
  @Test
  void close_armed_leavesNoDescriptor() throws Exception {
    long before = openStalls();
    KernelEvents events = KernelEvents.open();
    armOrSkip(events);
    assertThat(openStalls()).isEqualTo(before + 1);

    events.close();
    events.close();

    assertThat(openStalls()).isEqualTo(before);
  }

  @Test
  void armAll_noSuchFile_saysSo() throws Exception {
    try (KernelEvents events = KernelEvents.open()) {
      assertThatThrownBy(() -> events.armAll(folder.resolve("none"), List.of(TRIGGER)))
          .isInstanceOf(SystemCallException.class)
          .hasMessageEndingWith("ENOENT");
    }
  }

  @Test
  void armAll_moreThanFit_isRefused() throws Exception {
    try (KernelEvents events = KernelEvents.open()) {
      assertThatThrownBy(() -> events.armAll(STALLS, Collections.nCopies(16, TRIGGER)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("16 triggers; at most 15 fit");
    }
  }

  private static void armOrSkip(KernelEvents events) {
    String refusal = "";
    try {
      events.armAll(STALLS, List.of(TRIGGER));
    } catch (SystemCallException e) {
      refusal = String.valueOf(e.getMessage());
    }
    Requires.ofKernel(refusal.isEmpty(), "PSI triggers that this user may set: " + refusal);
  }

  private static long openStalls() throws Exception {
    try (var links = Files.list(Path.of("/proc/self/fd"))) {
      return links
          .filter(link -> {
            try {
              return Files.readSymbolicLink(link).equals(STALLS);
            } catch (java.io.IOException e) {
              return false; // the descriptor that lists the others
            }
          })
          .count();
    }
  }
}
