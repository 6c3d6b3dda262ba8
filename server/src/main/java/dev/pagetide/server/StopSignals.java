package dev.pagetide.server;

import dev.pagetide.server.host.StartupException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The signals that end the server: TERM, INT and HUP. The first one begins the JVM's shutdown. The
 * shutdown's hooks do the work, and read the signal's name here.
 *
 * <p>A signal that was ignored when the process began stays ignored: HUP under {@code nohup}, and
 * INT for a process that a shell script starts in the background. Under {@code -Xrs} the JVM leaves
 * all three to the kernel.
 */
/*
 * This uses reflection, because javac warns of sun.misc.Signal wherever it is named, and no
 * annotation can silence that warning. jdk.unsupported exports the package for exactly this
 * purpose.
 */
final class StopSignals {
  private static final List<String> NAMES = List.of("TERM", "INT", "HUP");

  private final AtomicReference<@Nullable String> first = new AtomicReference<>();

  /** The name of the first signal that came, as {@code kill -l} lists it; null if none came. */
  @Nullable String first() {
    return first.get();
  }

  /**
   * From now on, ends the JVM at each of the signals.
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
      // The JVM was started with -Xrs: the operator wants the kernel's own handling of this signal.
    }
  }

  /** Runs on a thread of the JVM. Never returns, not even if the JVM is ending already. */
  private void end(String name) {
    first.compareAndSet(null, name);
    System.exit(0);
  }
}
