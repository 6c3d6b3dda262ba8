package dev.pagetide.server.kit;

import dev.pagetide.server.os.SystemCallException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What an action does through the interfaces that it is given, each call a step; one step fails, in
 * turn the first, the second and so on. What lies behind the interfaces is real.
 *
 * <p>A step fails before it is taken, because what failed has taken nothing; but a close fails
 * afterwards, because nobody can close again.
 */
public final class FailingSteps {
  /** More than any action here takes: one that gets there never ends. */
  private static final int MOST_STEPS = 1000;

  private static final int EMFILE = 24;

  /** How a step fails. */
  public enum Failure {
    /** There is no heap, or no memory outside it. */
    OUT_OF_MEMORY,
    /** The kernel refuses; only calls that reach it are steps. */
    ERRNO,
    /** What is called has been closed. */
    CLOSED
  }

  private int left = Integer.MAX_VALUE;
  private Failure failure = Failure.OUT_OF_MEMORY;
  private @Nullable String failed;

  /** What an action does; it may throw. */
  @FunctionalInterface
  public interface Action {
    /** Does it. */
    void run() throws Exception;
  }

  /**
   * Lets each step of an action fail in turn, until it was carried out without a failure.
   *
   * @param before makes the action possible; run each time, without failures
   * @param after looks at what is left; run each time, without failures
   * @return which steps failed: interface and method
   */
  public Set<String> failEach(Failure how, Action before, Action action, Action after)
      throws Exception {
    Set<String> all = new LinkedHashSet<>();
    for (int step = 1; step < MOST_STEPS; step++) {
      before.run();
      arm(step, how);
      Throwable thrown = null;
      try {
        action.run();
      } catch (Exception | OutOfMemoryError e) {
        thrown = e;
      }
      String failedStep = disarm();
      if (failedStep == null && thrown != null) {
        throw new AssertionError("failed though no step did, at " + step, thrown);
      }
      try {
        after.run();
      } catch (Throwable e) {
        throw new AssertionError("after step %d: %s %s".formatted(step, failedStep, how), e);
      }
      if (failedStep == null) {
        return all;
      }
      all.add(failedStep);
    }
    throw new AssertionError("an action of more than " + MOST_STEPS + " steps");
  }

  private synchronized void arm(int step, Failure how) {
    left = step;
    failure = how;
    failed = null;
  }

  private synchronized @Nullable String disarm() {
    left = Integer.MAX_VALUE;
    return failed;
  }

  /** The same, whose calls are steps. */
  public <T> T around(Class<T> seam, T real) {
    return seam.cast(
        Proxy.newProxyInstance(
            FailingSteps.class.getClassLoader(),
            new Class<?>[] {seam},
            (_, method, arguments) -> {
              boolean last = method.getName().equals("close");
              if (!last) {
                step(seam, method);
              }
              Object result = call(real, method, arguments);
              if (last) {
                step(seam, method);
              }
              return result;
            }));
  }

  private static @Nullable Object call(Object real, Method method, Object @Nullable [] arguments)
      throws Throwable {
    try {
      return method.invoke(real, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private synchronized void step(Class<?> seam, Method method) throws SystemCallException {
    boolean reachesKernel =
        Arrays.stream(method.getExceptionTypes()).anyMatch(IOException.class::isAssignableFrom);
    boolean ofObject = method.getDeclaringClass() == Object.class;
    if (ofObject || (failure == Failure.ERRNO && !reachesKernel)) {
      return;
    }
    left--;
    if (left != 0) {
      return;
    }
    failed = seam.getSimpleName() + "." + method.getName();
    switch (failure) {
      case OUT_OF_MEMORY -> throw new OutOfMemoryError("as the test says");
      case ERRNO -> throw new SystemCallException(failed, EMFILE);
      case CLOSED -> throw new IllegalStateException("Already closed");
    }
  }
}
