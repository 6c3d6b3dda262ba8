package dev.pagetide.server.page;

import dev.pagetide.server.os.Memfd;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Promises 2 to 5, 9 to 13, 15, 17, 20 to 22 and 30, at random, against a model of a few lines. */
final class RandomOperationsTest {
  private static final long STEPS_PER_SERVER = 10_000;

  private static void run(long steps) {
    long seed = Seeds.next();
    for (long done = 0; done < steps; done += STEPS_PER_SERVER) {
      FailingPageFile.Script script = new FailingPageFile.Script();
      RandomOperations.withOthersInThePunches(
              seed + done,
              Memfd.systemPageSize(),
              budgetPages ->
                  new InProcess(
                      ServerTerms.ofBudget(budgetPages)
                          .withFiles((name, layout) ->
                              new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script))),
              script)
          .run(STEPS_PER_SERVER);
    }
  }

  @Test
  void operations_atRandom_doAsTheModelDoes() {
    run(200_000);
  }

  @Tag("long")
  @Test
  void operations_atRandomForLong_doAsTheModelDoes() {
    run(10_000_000);
  }
}
