package dev.pagetide.client;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.page.RandomOperations;
import dev.pagetide.server.page.Seeds;
import dev.pagetide.server.page.ServerTerms;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Promises 2 to 5, 9 to 13, 15, 17, 20 to 22 and 30, at random, through the library. */
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
