package dev.pagetide.testkit;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Starts a server for a test, and ends it after the test.
 *
 * <p>The test asks for it with a parameter whose type extends {@link ServerProcess} and has {@code
 * public static T start(String...)}. Asked for in {@code @BeforeAll}, there is one server for all
 * tests of the class; otherwise each test has its own, also for its {@code @BeforeEach} and
 * {@code @AfterEach}. It ends by {@link ServerProcess#closeAfterTest} after the last of them.
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(ServerOfTest.class)
public @interface WithServer {
  /** {@code --name=value} each; a method's replace those of its class that have the same name. */
  String[] value() default {};
}
