package dev.pagetide.server.page;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.testkit.Promise;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Random operations inside the server, against a model of a few lines. */
@Promise({2, 3, 4, 5, 9, 10, 11, 12, 13, 15, 17, 20, 21, 22, 30})
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
