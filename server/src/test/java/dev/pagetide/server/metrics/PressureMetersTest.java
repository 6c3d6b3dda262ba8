package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.pressure.PressureKind;
import dev.pagetide.server.pressure.PressureLevel;
import dev.pagetide.server.pressure.PressureLevels;
import dev.pagetide.server.pressure.PressureObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.util.EnumSet;
import org.junit.jupiter.api.Test;

final class PressureMetersTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final PressureLevels levels = new PressureLevels();
  private final PressureMeters meters = new PressureMeters(registry, levels);

  @Test
  void levelChanged_eachLevel_isItsNumber() {
    assertThat(gauge("pagetide.pressure.level", "psi")).isZero();
    int number = 0;
    for (PressureLevel level : PressureLevel.values()) {
      PressureObserver.both(levels, meters).levelChanged(PressureKind.PSI, level);

      assertThat(gauge("pagetide.pressure.level", "psi")).isEqualTo(number++);
      assertThat(gauge("pagetide.pressure.level", "cgroup")).isZero();
    }
  }

  @Test
  void bind_missingSources_areZero() {
    meters.bind(EnumSet.of(PressureKind.CGROUP));

    assertThat(gauge("pagetide.pressure.source", "psi")).isEqualTo(1);
    assertThat(gauge("pagetide.pressure.source", "cgroup")).isZero();
    assertThat(gauge("pagetide.pressure.source", "memavailable")).isEqualTo(1);
  }

  @Test
  void bind_sourceGoesAndComesBack_isItsLiveState() {
    EnumSet<PressureKind> missing = EnumSet.noneOf(PressureKind.class);
    meters.bind(missing);

    missing.add(PressureKind.PSI);
    assertThat(gauge("pagetide.pressure.source", "psi")).isZero();
    missing.remove(PressureKind.PSI);
    assertThat(gauge("pagetide.pressure.source", "psi")).isEqualTo(1);
  }

  @Test
  void decided_whateverCameOfIt_isCountedByAction() {
    meters.decided(ReclaimTrigger.CGROUP, PressureLevel.LOW, 100, 60, false);
    meters.decided(ReclaimTrigger.CGROUP, PressureLevel.LOW, 40, 0, false);
    meters.decided(ReclaimTrigger.PSI_FULL, PressureLevel.LOW, 7, 0, true);

    assertThat(counter("pagetide.pressure.decisions", "cgroup", "reclaimed")).isEqualTo(1);
    assertThat(counter("pagetide.pressure.pages", "cgroup", "reclaimed")).isEqualTo(60);
    assertThat(counter("pagetide.pressure.decisions", "cgroup", "nothing")).isEqualTo(1);
    assertThat(counter("pagetide.pressure.pages", "cgroup", "nothing")).isEqualTo(40);
    assertThat(counter("pagetide.pressure.decisions", "psi_full", "dry_run")).isEqualTo(1);
    assertThat(counter("pagetide.pressure.pages", "psi_full", "dry_run")).isEqualTo(7);
    assertThat(counter("pagetide.pressure.decisions", "psi_some", "reclaimed")).isZero();
  }

  @Test
  void failed_source_isCounted() {
    meters.failed(PressureKind.PSI, new IOException("gone"));

    assertThat(registry.get("pagetide.pressure.failures").tag("source", "psi").counter().count())
        .isEqualTo(1);
  }

  private double gauge(String name, String source) {
    return registry.get(name).tag("source", source).gauge().value();
  }

  private double counter(String name, String trigger, String action) {
    return registry.get(name).tag("trigger", trigger).tag("action", action).counter().count();
  }
}
