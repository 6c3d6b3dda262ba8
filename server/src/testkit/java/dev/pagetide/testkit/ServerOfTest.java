package dev.pagetide.testkit;

import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolutionException;
import org.junit.jupiter.api.extension.ParameterResolver;

/** Gives a test the server that its {@link WithServer} asks for. */
final class ServerOfTest implements ParameterResolver {
  private static final Namespace NAMESPACE = Namespace.create(ServerOfTest.class);

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return ServerProcess.class.isAssignableFrom(parameter.getParameter().getType());
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    Class<?> type = parameter.getParameter().getType();
    // A store looks into its parents first: a test finds the server of its class, if there is one.
    Optional<Running> ofTheClass = context.getParent().map(parent -> running(parent, type));
    if (ofTheClass.isPresent()
        && context.getTestMethod().filter(ServerOfTest::isAnnotated).isPresent()) {
      throw new ParameterResolutionException(
          "the server of the class runs already, without the options of " + context.getUniqueId());
    }
    return context
        .getStore(NAMESPACE)
        .computeIfAbsent(type, _ -> new Running(start(type, options(context))), Running.class)
        .server();
  }

  private static String[] options(ExtensionContext context) {
    List<String> own = options(context.getTestMethod());
    Set<String> names = own.stream().map(ServerOfTest::name).collect(Collectors.toSet());
    return Stream.concat(
            options(context.getTestClass().flatMap(ServerOfTest::annotated)).stream()
                .filter(option -> !names.contains(name(option))),
            own.stream())
        .toArray(String[]::new);
  }

  /** The class itself, or the nearest superclass or enclosing class, that asks for a server. */
  private static Optional<Class<?>> annotated(Class<?> test) {
    for (Class<?> outer = test; outer != null; outer = outer.getEnclosingClass()) {
      for (Class<?> type = outer; type != null; type = type.getSuperclass()) {
        if (isAnnotated(type)) {
          return Optional.of(type);
        }
      }
    }
    return Optional.empty();
  }

  private static boolean isAnnotated(AnnotatedElement element) {
    return element.isAnnotationPresent(WithServer.class);
  }

  private static @Nullable Running running(ExtensionContext context, Class<?> type) {
    return context.getStore(NAMESPACE).get(type, Running.class);
  }

  /** What stands before the equals sign of an option. */
  private static String name(String option) {
    return option.split("=", 2)[0];
  }

  private static List<String> options(Optional<? extends AnnotatedElement> element) {
    return element
        .map(found -> found.getAnnotation(WithServer.class))
        .map(with -> Arrays.asList(with.value()))
        .orElse(List.of());
  }

  private static ServerProcess start(Class<?> type, String[] options) {
    try {
      Object started = type.getMethod("start", String[].class).invoke(null, (Object) options);
      return (ServerProcess) started;
    } catch (InvocationTargetException e) {
      throw new ParameterResolutionException("the server does not start", e);
    } catch (ReflectiveOperationException e) {
      throw new ParameterResolutionException(type + " has no public start(String...)", e);
    }
  }

  /** Closed by JUnit at the end of the test, or of the class, that it was started for. */
  @SuppressWarnings("try") // JUnit closes it, and takes what it throws
  private record Running(ServerProcess server) implements AutoCloseable {
    @Override
    public void close() throws Exception {
      server.closeAfterTest();
    }
  }
}
