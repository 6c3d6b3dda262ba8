package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageClock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Whether the host forces huge pages on shared memory. If it does, the kernel gives several or
 * hundreds of pages where one was requested; then memory that the server did not give is not any
 * client's doing.
 *
 * <p>A server does not start if a trial file shows this. But the settings can change while it runs,
 * and the settings for single sizes concern only pages that a client touches. Thread-safe.
 */
/*
 * There is one setting for all sizes. Since Linux 6.11 there is also one for each size; its value
 * "inherit" means the value of the former. "deny" in the former overrides the latter.
 *
 * The files are read outside every lock, at most ten times a second, and once more before strays
 * count against a client. The answer is kept, and is read under the locks of ranges. For a minute
 * after the setting has changed back, strays still count as the kernel's, because the pages that
 * the kernel gave are in the files until each range is audited.
 *
 * LOCKS: the monitor orders readings, so that an older one never replaces a newer one, and it
 * orders what the listener is told. Only files are read under it, and no thread enters it while it
 * holds a range's lock.
 */
public final class HugePages {
  /** The directory in which Linux keeps the settings. */
  public static final Path SETTINGS = Path.of("/sys/kernel/mm/transparent_hugepage");

  /**
   * The setting for all sizes. The settings for one size have the same name, in directories of
   * their own.
   */
  private static final String NAME = "shmem_enabled";

  /** A host that never forces huge pages. */
  static final HugePages NONE = new HugePages(null, () -> 0, _ -> {});

  private static final Pattern CHOSEN = Pattern.compile("\\[(\\w+)]");
  private static final Set<String> FORCING = Set.of("always", "within_size", "force");
  private static final String OVERRIDES = "deny";
  private static final long FRESH_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long LINGER_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final @Nullable Path settings;
  private final List<Path> ofOneSize;
  private final PageClock clock;
  private final Listener listener;
  private final AtomicLong readAt;

  @GuardedBy("this")
  private boolean forced;

  @GuardedBy("this")
  private long lastForced;

  /** Written only under the monitor. */
  private volatile boolean causeStrays;

  /** Is notified when the answer has changed, on the thread that noticed it, under our monitor. */
  @FunctionalInterface
  public interface Listener {
    /**
     * Called once for each change. Must be quick and throw nothing.
     *
     * @param by the file whose setting forces huge pages now; null if none does any longer
     */
    void changed(@Nullable Path by);
  }

  /**
   * Watches a host's settings.
   *
   * @param settings their directory. Null, or a directory without settings, means a host that
   *     forces none
   */
  public HugePages(@Nullable Path settings, PageClock clock, Listener listener) {
    this.settings = settings;
    this.ofOneSize = settings == null ? List.of() : ofOneSize(settings);
    this.clock = clock;
    this.listener = listener;
    this.readAt = new AtomicLong(clock.nanos() - FRESH_NANOS);
  }

  /** The file whose setting forces huge pages on shared memory now; empty if none does. */
  public static Optional<Path> forcedBy(Path settings) {
    return Optional.ofNullable(forcedBy(settings, ofOneSize(settings)));
  }

  /**
   * Whether strays are the kernel's, as of the last reading. Takes no lock and makes no system
   * call.
   */
  boolean causeStrays() {
    return causeStrays;
  }

  /**
   * Reads the settings, unless they were read less than a tenth of a second ago. The caller must
   * hold no lock.
   */
  public void refresh() {
    long before = readAt.get();
    long now = clock.nanos();
    if (now - before >= FRESH_NANOS && readAt.compareAndSet(before, now)) {
      refreshNow();
    }
  }

  /**
   * Reads the settings, before strays count against a client. The caller must not hold a range's
   * lock.
   */
  void refreshNow() {
    if (settings == null) {
      return;
    }
    synchronized (this) {
      long now = clock.nanos();
      readAt.set(now);
      Path by = forcedBy(settings, ofOneSize);
      boolean was = forced;
      if (by != null) {
        lastForced = now;
      }
      causeStrays = by != null || (causeStrays && now - lastForced < LINGER_NANOS);
      forced = by != null;
      if (was != forced) {
        listener.changed(by);
      }
    }
  }

  private static List<Path> ofOneSize(Path settings) {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> sizes = Files.newDirectoryStream(settings, "hugepages-*kB")) {
      for (Path size : sizes) {
        files.add(size.resolve(NAME));
      }
    } catch (IOException | DirectoryIteratorException e) {
      return List.of(); // a kernel without huge pages
    }
    Collections.sort(files);
    return files;
  }

  private static @Nullable Path forcedBy(Path settings, List<Path> ofOneSize) {
    Path ofAll = settings.resolve(NAME);
    String chosen = chosen(ofAll);
    if (FORCING.contains(chosen)) {
      return ofAll;
    }
    if (chosen.equals(OVERRIDES)) {
      return null;
    }
    return ofOneSize.stream()
        .filter(file -> FORCING.contains(chosen(file)))
        .findFirst()
        .orElse(null);
  }

  /** The word in brackets; the empty string if there is none. */
  private static String chosen(Path setting) {
    try {
      Matcher chosen = CHOSEN.matcher(Files.readString(setting, StandardCharsets.ISO_8859_1));
      return chosen.find() ? chosen.group(1) : "";
    } catch (IOException e) {
      return ""; // a kernel that has no such setting
    }
  }
}
