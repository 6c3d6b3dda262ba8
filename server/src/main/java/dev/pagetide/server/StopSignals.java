package dev.pagetide.server;

import dev.pagetide.server.host.StartupException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The signals that end the server: TERM, INT and HUP. The first that comes begins the JVM's
 * shutdown, whose hooks do the work and find its name here.
 *
 * <p>A signal that was ignored when the process began stays ignored: HUP under {@code nohup}, INT
 * of what a shell script starts in the background. Under {@code -Xrs} the JVM leaves all three to
 * the kernel.
 */
/*
 * By reflection because javac warns of sun.misc.Signal wherever it is named, and nothing can
 * silence that warning. The package is exported by jdk.unsupported, for exactly this use.
 */
final class StopSignals {
  private static final List<String> NAMES = List.of("TERM", "INT", "HUP");

  private final AtomicReference<@Nullable String> first = new AtomicReference<>();

  /** The name of the first signal that came, as {@code kill -l} has it; null if none has. */
  @Nullable String first() {
    return first.get();
  }

  /**
   * Ends the JVM at each of the signals from now on.
   *
   * @throws StartupException if this JVM has no signals
   */
  void listen() throws StartupException {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      for (String name : NAMES) {
        Object told =
            Proxy.newProxyInstance(
                handler.getClassLoader(),
                new Class<?>[] {handler},
                (_, method, _) -> {
                  if (method.getName().equals("handle")) { // the JVM calls nothing else
                    end(name);
                  }
                  return null;
                });
        listen(signal, name, handler, told);
      }
    } catch (ReflectiveOperationException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "this JVM does not tell of signals (%s); run the server on an OpenJDK build of Java"
                  + " 25",
              e),
          e);
    }
  }

  private static void listen(Class<?> signal, String name, Class<?> handler, Object told)
      throws ReflectiveOperationException {
    try {
      signal
          .getMethod("handle", signal, handler)
          .invoke(null, signal.getConstructor(String.class).newInstance(name), told);
    } catch (InvocationTargetException e) {
      if (!(e.getCause() instanceof IllegalArgumentException)) {
        throw e;
      }
      // Started with -Xrs: the operator wants the kernel's own way for this signal.
    }
  }

  /** On a thread of the JVM's; never returns, also if the JVM is ending already. */
  private void end(String name) {
    first.compareAndSet(null, name);
    System.exit(0);
  }
}
