package dev.pagetide.testkit;

import java.lang.reflect.Method;
import java.util.Deque;
import java.util.concurrent.ConcurrentLinkedDeque;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

/**
 * Registered for every test by JUnit itself. It knows which test runs, so that {@link Requires} can
 * check its tag. And where a set-up failed or was skipped, it keeps what the tear-down then says
 * from hiding why: the tear-down runs, and its failure is suppressed below the set-up's.
 */
public final class RunningTest
    implements BeforeAllCallback,
        AfterAllCallback,
        BeforeEachCallback,
        AfterEachCallback,
        InvocationInterceptor {
  private static final Namespace NAMESPACE = Namespace.create(RunningTest.class);
  private static final String SET_UP_FAILURE = "set-up failure";

  /** The innermost last. Of the process, not of a thread: a test's own threads are in it, too. */
  private static final Deque<ExtensionContext> RUNNING = new ConcurrentLinkedDeque<>();

  /** Fails where the running test does not bear the tag of tests that need something. */
  static void checkTag() {
    ExtensionContext running = RUNNING.peekLast();
    if (running == null) {
      throw new AssertionError("Requires is for tests, and none runs that JUnit told us of");
    }
    if (!running.getTags().contains(Requires.TAG)) {
      throw new AssertionError(
          "%s calls Requires without @Tag(\"%s\")".formatted(running.getUniqueId(), Requires.TAG));
    }
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    RUNNING.addLast(context);
  }

  @Override
  public void afterAll(ExtensionContext context) {
    RUNNING.removeLastOccurrence(context);
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    RUNNING.addLast(context);
  }

  @Override
  public void afterEach(ExtensionContext context) {
    RUNNING.removeLastOccurrence(context);
  }

  @Override
  public void interceptBeforeAllMethod(
      Invocation<@Nullable Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context)
      throws Throwable {
    setUp(invocation, context);
  }

  @Override
  public void interceptBeforeEachMethod(
      Invocation<@Nullable Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context)
      throws Throwable {
    setUp(invocation, context);
  }

  @Override
  public void interceptAfterEachMethod(
      Invocation<@Nullable Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context)
      throws Throwable {
    tearDown(invocation, context);
  }

  @Override
  public void interceptAfterAllMethod(
      Invocation<@Nullable Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context)
      throws Throwable {
    tearDown(invocation, context);
  }

  private static void setUp(Invocation<@Nullable Void> invocation, ExtensionContext context)
      throws Throwable {
    try {
      invocation.proceed();
    } catch (Throwable failure) {
      context.getStore(NAMESPACE).put(SET_UP_FAILURE, failure);
      throw failure;
    }
  }

  private static void tearDown(Invocation<@Nullable Void> invocation, ExtensionContext context)
      throws Throwable {
    Throwable cause = context.getStore(NAMESPACE).get(SET_UP_FAILURE, Throwable.class);
    try {
      invocation.proceed();
    } catch (Throwable failure) {
      if (cause == null) {
        throw failure;
      }
      if (!cause.equals(failure)) {
        cause.addSuppressed(failure);
      }
    }
  }
}
