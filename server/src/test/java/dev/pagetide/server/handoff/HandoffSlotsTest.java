package dev.pagetide.server.handoff;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.handoff.HandoffSlots.Slot;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** How many connections are served at once, and how many of one user. */
final class HandoffSlotsTest {
  private static HandoffSlots slots(int maxConnections) {
    return new HandoffSlots(new HandoffConfig(maxConnections, Duration.ofSeconds(1)));
  }

  @Test
  void enter_oneUid_getsItsQuarterAndOthersStillGetTheirs() {
    HandoffSlots slots = slots(8);

    for (int uid = 0; uid < 4; uid++) {
      assertThat(slots.enter(uid)).isEqualTo(Slot.SERVED);
      assertThat(slots.enter(uid)).isEqualTo(Slot.SERVED);
      assertThat(slots.enter(uid)).isEqualTo(Slot.TURNED_AWAY);
    }
    assertThat(slots.enter(4)).as("all eight are taken").isEqualTo(Slot.TURNED_AWAY);

    slots.leave(Slot.SERVED, 0);
    assertThat(slots.enter(4)).isEqualTo(Slot.SERVED);
  }

  @Test
  void enter_asManyTurnedAwayAsMayStay_getNothing() {
    HandoffSlots slots = slots(2);
    assertThat(slots.enter(7)).isEqualTo(Slot.SERVED);
    assertThat(slots.enter(7)).isEqualTo(Slot.TURNED_AWAY);
    assertThat(slots.enter(7)).isEqualTo(Slot.TURNED_AWAY);

    assertThat(slots.enter(7)).isEqualTo(Slot.NONE);
    slots.leave(Slot.NONE, 7);
    assertThat(slots.enter(7)).isEqualTo(Slot.NONE);
    slots.leave(Slot.TURNED_AWAY, 7);
    assertThat(slots.enter(7)).isEqualTo(Slot.TURNED_AWAY);
    slots.leave(Slot.SERVED, 7);
    assertThat(slots.enter(7)).isEqualTo(Slot.SERVED);
  }

  @Test
  void maxConnectionsPerUid_fewerThanFour_isOne() {
    for (int most = 1; most < 8; most++) {
      assertThat(new HandoffConfig(most, Duration.ZERO).maxConnectionsPerUid()).isEqualTo(1);
    }
  }
}
