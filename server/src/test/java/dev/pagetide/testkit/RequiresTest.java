package dev.pagetide.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestExecutionResult.Status;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Tests that JUnit runs inside a test: what comes of those that need something. */
final class RequiresTest {
  /** What ran last below the class's own node, and how each ended. */
  private static List<TestExecutionResult> resultsOf(Class<?> tests) {
    List<TestExecutionResult> results = new ArrayList<>();
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request().selectors(selectClass(tests)).build(),
            new TestExecutionListener() {
              @Override
              public void executionFinished(TestIdentifier node, TestExecutionResult result) {
                if (node.isTest() || result.getStatus() != Status.SUCCESSFUL) {
                  results.add(result);
                }
              }
            });
    return results;
  }

  private static Throwable failure(TestExecutionResult result) {
    return result.getThrowable().orElseThrow();
  }

  private static void assertOnly(Class<?> tests, Status status, String sentence) {
    assertThat(resultsOf(tests))
        .singleElement()
        .satisfies(result -> {
          assertThat(result.getStatus()).isEqualTo(status);
          assertThat(failure(result)).hasMessageContaining(sentence);
        });
  }

  static final class TaggedMethod {
    @Tag(Requires.TAG)
    @Test
    void test() {
      Requires.ofKernel(false, "a kernel");
    }
  }

  static final class MethodWithoutTag {
    @Test
    void test() {
      Requires.ofKernel(true, "a kernel");
    }
  }

  static final class OwnThreadWithoutTag {
    @Test
    void test() throws Throwable {
      List<Throwable> thrown = new ArrayList<>();
      Thread thread = new Thread(() -> Requires.that(true, "a thing"));
      thread.setUncaughtExceptionHandler((_, failure) -> thrown.add(failure));
      thread.start();
      thread.join();
      for (Throwable failure : thrown) {
        throw failure;
      }
    }
  }

  static final class SetUpWithoutTag {
    @BeforeEach
    void setUp() {
      Requires.command("sh", "it is everywhere");
    }

    @Test
    void test() {}
  }

  static final class SetUpOfAllWithoutTag {
    @BeforeAll
    static void setUp() {
      Requires.root("a test");
    }

    @Tag(Requires.TAG)
    @Test
    void test() {}
  }

  @Tag(Requires.TAG)
  static final class SkippedSetUps {
    @BeforeAll
    static void setUpAll() {
      Requires.ofKernel(false, "the cause");
    }

    @AfterAll
    static void tearDownAll() {
      fail("nothing was set up");
    }

    @Test
    void test() {}
  }

  static final class FailedSetUp {
    @BeforeEach
    void setUp() {
      fail("the cause");
    }

    @AfterEach
    void tearDown() {
      fail("nothing was set up");
    }

    @Test
    void test() {}
  }

  @Tag(Requires.TAG)
  static final class SkippedSetUp {
    @BeforeEach
    void setUp() {
      Requires.ofKernel(false, "the cause");
    }

    @AfterEach
    void tearDown() {
      fail("nothing was set up");
    }

    @Test
    void test() {}
  }

  static final class FailedTearDown {
    @AfterEach
    void tearDown() {
      fail("of the tear-down");
    }

    @Test
    void test() {}
  }

  @Tag(Requires.TAG)
  static final class EverythingThatAnyMachineHas {
    @Test
    void command() {
      Requires.command("sh", "it is everywhere");
    }

    @Test
    void kernel() {
      Requires.ofKernel(true, "a kernel");
    }

    @Test
    void that() {
      Requires.that(true, "a thing");
    }
  }

  @Test
  void ofKernel_taggedAndNotThere_skips() {
    assertOnly(TaggedMethod.class, Status.ABORTED, "needs a kernel");
  }

  @Test
  void requires_withoutTag_failsEvenWhereAllIsThere() {
    String sentence = "calls Requires without @Tag(\"needs\")";
    assertOnly(MethodWithoutTag.class, Status.FAILED, sentence);
    assertOnly(OwnThreadWithoutTag.class, Status.FAILED, sentence);
    assertOnly(SetUpWithoutTag.class, Status.FAILED, sentence);
    assertOnly(SetUpOfAllWithoutTag.class, Status.FAILED, sentence);
  }

  @Test
  void tearDown_setUpSkippedOrFailed_doesNotHideWhy() {
    assertOnly(SkippedSetUps.class, Status.ABORTED, "needs the cause");
    assertOnly(SkippedSetUp.class, Status.ABORTED, "needs the cause");
    assertOnly(FailedSetUp.class, Status.FAILED, "the cause");
    assertThat(failure(resultsOf(FailedSetUp.class).getFirst()).getSuppressed())
        .singleElement()
        .satisfies(hidden -> assertThat(hidden).hasMessage("nothing was set up"));
  }

  @Test
  void tearDown_setUpDone_failsTheTest() {
    assertOnly(FailedTearDown.class, Status.FAILED, "of the tear-down");
  }

  @Test
  void requires_none_findsNothing() {
    String before = System.getProperty("pagetide.requires", "any");
    System.setProperty("pagetide.requires", "none");
    try {
      assertThat(resultsOf(EverythingThatAnyMachineHas.class))
          .hasSize(3)
          .allSatisfy(result -> assertThat(result.getStatus()).isEqualTo(Status.ABORTED));
    } finally {
      System.setProperty("pagetide.requires", before);
    }
  }

  @Test
  void requires_any_findsWhatIsThere() {
    String before = System.getProperty("pagetide.requires", "any");
    System.setProperty("pagetide.requires", "any");
    try {
      assertThat(resultsOf(EverythingThatAnyMachineHas.class))
          .hasSize(3)
          .allSatisfy(result -> assertThat(result.getStatus()).isEqualTo(Status.SUCCESSFUL));
    } finally {
      System.setProperty("pagetide.requires", before);
    }
  }
}
