package dev.pagetide.client;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.page.RandomOperations;
import dev.pagetide.server.page.Seeds;
import dev.pagetide.server.page.ServerTerms;
import dev.pagetide.testkit.Promise;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Random operations through the library, against a model of a few lines. */
@Promise({2, 3, 4, 5, 9, 10, 11, 12, 13, 15, 17, 20, 21, 22, 30})
final class RandomOperationsTest {
  private static final int STEPS = 5_000;

  @ParameterizedTest
  @EnumSource
  void operations_atRandom_doAsTheModelDoes(WireServer.Faces faces) {
    new RandomOperations(
            Seeds.next(),
            Memfd.systemPageSize(),
            budgetPages -> new WireServer(faces, ServerTerms.ofBudget(budgetPages)))
        .run(STEPS);
  }
}
