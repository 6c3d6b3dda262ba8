package dev.pagetide.server.budget;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.page.Crowd;
import dev.pagetide.server.page.Seeds;
import dev.pagetide.testkit.Promise;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The budget: charges add up, and never exceed a limit anywhere. */
@Promise(30)
final class PageBudgetTest {
  private final PageBudget root = PageBudget.root("--max-resident-bytes", 100);
  private final PageBudget uid = root.child("--max-resident-bytes-per-uid", 60);
  private final PageBudget session = uid.child("--max-resident-bytes-per-session", 80);

  @Test
  void tryReserve_roomEverywhere_chargesTheWholePath() {
    PageBudget other = root.child("other", 100);

    assertThat(session.tryReserve(60)).isNull();

    assertThat(session.chargedPages()).isEqualTo(60);
    assertThat(uid.chargedPages()).isEqualTo(60);
    assertThat(root.chargedPages()).isEqualTo(60);
    assertThat(other.chargedPages()).isZero();
  }

  @Test
  void tryReserve_noRoomHigherUp_namesThatBudgetAndChargesNothing() {
    assertThat(session.tryReserve(61)).isSameAs(uid);

    assertThat(session.chargedPages()).isZero();
    assertThat(uid.chargedPages()).isZero();
    assertThat(root.chargedPages()).isZero();
  }

  @Test
  void tryReserve_noRoomAtTheRoot_namesTheRootAndChargesNothing() {
    PageBudget other = root.child("other", 100);
    assertThat(other.tryReserve(70)).isNull();

    assertThat(session.tryReserve(31)).isSameAs(root);

    assertThat(session.chargedPages()).isZero();
    assertThat(uid.chargedPages()).isZero();
    assertThat(root.chargedPages()).isEqualTo(70);
    assertThat(session.tryReserve(30)).isNull();
  }

  @Test
  void tryReserve_noRoomHere_namesThisBudgetAndChargesNothing() {
    PageBudget narrow = uid.child("--max-resident-bytes-per-session", 59);

    assertThat(narrow.tryReserve(60)).isSameAs(narrow);
    assertThat(narrow.tryReserve(Long.MAX_VALUE)).isSameAs(narrow);

    assertThat(root.chargedPages()).isZero();
  }

  @Test
  void tryReserve_limitNoNarrowerThanOneAbove_namesTheOneAbove() {
    PageBudget asWide = root.child("as wide", 100);
    PageBudget wider = asWide.child("wider", 200);

    assertThat(wider.tryReserve(101)).isSameAs(root);
    assertThat(session.tryReserve(81)).isSameAs(uid);

    assertThat(root.chargedPages()).isZero();
    assertThat(wider.chargedPages()).isZero();
  }

  @Test
  void tryReserve_noRoomBelowALimitAsWideAsTheRoots_namesTheRoot() {
    PageBudget asWide = root.child("as wide", root.limitPages());
    PageBudget leaf = asWide.child("wider", 2 * root.limitPages());
    assertThat(leaf.tryReserve(70)).isNull();

    assertThat(leaf.tryReserve(31)).isSameAs(root);
    assertThat(leaf.hasRoomBelowRoot(31)).isTrue();

    assertThat(leaf.chargedPages()).isEqualTo(70);
    assertThat(root.chargedPages()).isEqualTo(70);
  }

  @Test
  void tryTakeOver_roomInThePath_movesTheChargeBelowTheRoot() {
    PageBudget held = root.child("held", root.limitPages());
    assertThat(held.tryReserve(7)).isNull();

    assertThat(session.tryTakeOver(held, 7)).isNull();

    assertThat(held.chargedPages()).isZero();
    assertThat(session.chargedPages()).isEqualTo(7);
    assertThat(uid.chargedPages()).isEqualTo(7);
    assertThat(root.chargedPages()).isEqualTo(7);
  }

  @Test
  void tryTakeOver_limitAboveFull_namesItAndChangesNothing() {
    PageBudget held = root.child("held", root.limitPages());
    assertThat(held.tryReserve(7)).isNull();
    assertThat(uid.tryReserve(uid.limitPages() - 6)).isNull();

    assertThat(session.tryTakeOver(held, 7)).isSameAs(uid);

    assertThat(held.chargedPages()).isEqualTo(7);
    assertThat(session.chargedPages()).isZero();
    assertThat(uid.chargedPages()).isEqualTo(uid.limitPages() - 6);
    assertThat(root.chargedPages()).isEqualTo(uid.limitPages() + 1);
  }

  @Test
  void release_whatWasReserved_givesBackTheWholePath() {
    assertThat(session.tryReserve(10)).isNull();

    session.release(4);

    assertThat(session.chargedPages()).isEqualTo(6);
    assertThat(root.chargedPages()).isEqualTo(6);
  }

  @Test
  void release_moreThanWasReserved_isABug() {
    assertThatThrownBy(() -> session.release(1)).isInstanceOf(AssertionError.class);
  }

  @Test
  void child_negativeLimit_isRefused() {
    assertThatThrownBy(() -> root.child("x", -1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("-1");
  }

  @Test
  void isWithin_tree_followsTheBranches() {
    PageBudget other = root.child("other", 100);

    assertThat(session.isWithin(session)).isTrue();
    assertThat(session.isWithin(uid)).isTrue();
    assertThat(session.isWithin(root)).isTrue();
    assertThat(uid.isWithin(session)).isFalse();
    assertThat(session.isWithin(other)).isFalse();
    assertThat(session.root()).isSameAs(root);
  }

  @Test
  void tryReserve_eightThreads_neverExceedsALimitAndEndsAtZero() throws InterruptedException {
    List<PageBudget> leaves = new ArrayList<>();
    List<PageBudget> nodes = new ArrayList<>(List.of(root));
    for (int u = 0; u < 2; u++) {
      PageBudget narrow = root.child("uid", 70);
      nodes.add(narrow);
      for (int s = 0; s < 2; s++) {
        PageBudget leaf = narrow.child("session", 50);
        nodes.add(leaf);
        leaves.add(leaf);
      }
    }
    long seed = Seeds.next();

    Crowd.run(
        8,
        index -> {
          Random random = new Random(seed + index);
          PageBudget leaf = leaves.get(index % leaves.size());
          for (int i = 0; i < 50_000; i++) {
            int pages = 1 + random.nextInt(30);
            PageBudget full = leaf.tryReserve(pages);
            for (PageBudget node : nodes) {
              long charged = node.chargedPages();
              if (charged < 0 || charged > node.limitPages()) {
                throw new AssertionError(node + " was seen at " + charged);
              }
            }
            if (full == null) {
              leaf.release(pages);
            }
          }
        });

    assertThat(nodes).allSatisfy(node -> assertThat(node.chargedPages()).isZero());
  }
}
