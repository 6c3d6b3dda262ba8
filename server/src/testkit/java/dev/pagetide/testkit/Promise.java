package dev.pagetide.testkit;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Says which promises of {@code server/docs/PROMISES.md} a test holds the code to.
 *
 * <p>On a class it speaks for all tests of the class, on a method for that test. {@code
 * PromisesTest} reads the page and the sources: each number that is cited stands on the page, and
 * each number on the page is cited by a test that some profile of the build runs.
 */
@Documented
@Retention(RetentionPolicy.SOURCE)
@Target({ElementType.TYPE, ElementType.METHOD})
public @interface Promise {
  /** The numbers of the promises, ascending. */
  int[] value();
}
