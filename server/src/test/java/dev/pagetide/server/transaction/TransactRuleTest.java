package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.session.Peer;
import dev.pagetide.server.transaction.TransactRule.Pair;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Which user may transact to which. */
final class TransactRuleTest {
  private static final int ROOT = 0;
  private static final int ALICE = 1000;
  private static final int BOB = 1001;

  /** The largest uid that is one, negative as an int. */
  private static final int LARGEST = -2;

  @Test
  void allows_noPairListed_ownUserOnly() {
    TransactRule rule = TransactRule.OWN;

    assertThat(rule.allows(ALICE, ALICE)).isTrue();
    assertThat(rule.allows(ALICE, BOB)).isFalse();
    assertThat(rule.allows(BOB, ALICE)).isFalse();
  }

  @Test
  void allows_root_isAUserLikeAnyOther() {
    TransactRule rule = TransactRule.OWN;

    assertThat(rule.allows(ROOT, ROOT)).isTrue();
    assertThat(rule.allows(ROOT, ALICE)).isFalse();
    assertThat(rule.allows(ALICE, ROOT)).isFalse();
    assertThat(new TransactRule(Set.of(new Pair(ROOT, TransactRule.ANY))).allows(ROOT, BOB))
        .isTrue();
  }

  @Test
  void allows_pairListed_thatWayOnly() {
    TransactRule rule = new TransactRule(Set.of(new Pair(ALICE, BOB)));

    assertThat(rule.allows(ALICE, BOB)).isTrue();
    assertThat(rule.allows(BOB, ALICE)).isFalse();
    assertThat(rule.allows(ALICE, ROOT)).isFalse();
    assertThat(rule.allows(ROOT, BOB)).isFalse();
    assertThat(rule.allows(BOB, BOB)).isTrue();
  }

  @Test
  void allows_anyTo_everyUserToThatOne() {
    TransactRule rule = new TransactRule(Set.of(new Pair(TransactRule.ANY, BOB)));

    assertThat(rule.allows(ALICE, BOB)).isTrue();
    assertThat(rule.allows(ROOT, BOB)).isTrue();
    assertThat(rule.allows(LARGEST, BOB)).isTrue();
    assertThat(rule.allows(BOB, ALICE)).isFalse();
    assertThat(rule.allows(ALICE, ROOT)).isFalse();
  }

  @Test
  void allows_toAny_thatUserToEveryOther() {
    TransactRule rule = new TransactRule(Set.of(new Pair(ALICE, TransactRule.ANY)));

    assertThat(rule.allows(ALICE, BOB)).isTrue();
    assertThat(rule.allows(ALICE, ROOT)).isTrue();
    assertThat(rule.allows(BOB, ALICE)).isFalse();
    assertThat(rule.allows(BOB, ROOT)).isFalse();
  }

  @Test
  void allows_anyToAny_everyUserToEveryOther() {
    TransactRule rule = new TransactRule(Set.of(new Pair(TransactRule.ANY, TransactRule.ANY)));

    assertThat(rule.allows(ALICE, BOB)).isTrue();
    assertThat(rule.allows(ROOT, LARGEST)).isTrue();
    assertThat(rule.allows(LARGEST, ROOT)).isTrue();
  }

  @Test
  void allows_noUid_amongThemselvesOnlyWhateverIsListed() {
    TransactRule all = new TransactRule(Set.of(new Pair(TransactRule.ANY, TransactRule.ANY)));

    assertThat(all.allows(Peer.NO_UID, ALICE)).isFalse();
    assertThat(all.allows(ALICE, Peer.NO_UID)).isFalse();
    assertThat(all.allows(Peer.NO_UID, ROOT)).isFalse();
    assertThat(TransactRule.OWN.allows(Peer.NO_UID, Peer.NO_UID)).isTrue();
  }

  @Test
  void allows_uidAbove2To31_isListedUnsigned() {
    TransactRule rule = new TransactRule(Set.of(new Pair(4_294_967_294L, ALICE)));

    assertThat(rule.allows(LARGEST, ALICE)).isTrue();
    assertThat(rule.allows(ALICE, LARGEST)).isFalse();
  }
}
