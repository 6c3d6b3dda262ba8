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
 * Whether the host forces huge pages on shared memory: then the kernel gives several or hundreds of
 * pages where one was asked for, and what the server finds beside its own is no client's doing.
 *
 * <p>A server does not start if a trial file shows that, but the settings can change while it runs,
 * and those for single sizes concern only pages that a client touches. Thread-safe.
 */
/*
 * There is a setting for all sizes, and since Linux 6.11 one for each size, of which "inherit"
 * means the former's. "deny" of the former overrides the latter.
 *
 * The files are read outside every lock, at most ten times a second, and once more before strays
 * count against a client; the answer is kept, and read under the locks of ranges. For a minute
 * after the setting went back strays still count as the kernel's, because the pages that it gave
 * lie in the files until each range is audited.
 *
 * LOCKS: the monitor orders readings, so that an older one never replaces a newer one, and what the
 * listener is told. Only files are read under it, and nobody enters it with a range's lock.
 */
public final class HugePages {
  /** Where Linux keeps the settings. */
  public static final Path SETTINGS = Path.of("/sys/kernel/mm/transparent_hugepage");

  /** The setting for all sizes; those for one size have the same name in folders of their own. */
  private static final String NAME = "shmem_enabled";

  /** A host that never forces any. */
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

  /** Written under the monitor. */
  private volatile boolean causeStrays;

  /** What hears that the answer has changed, on the thread that noticed, under our monitor. */
  @FunctionalInterface
  public interface Listener {
    /**
     * Told once for each change; must be quick and throw nothing.
     *
     * @param by the file whose setting forces huge pages now; null if none does any longer
     */
    void changed(@Nullable Path by);
  }

  /**
   * Watches a host's settings.
   *
   * @param settings their folder; null or one without them for a host that forces none
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

  /** Whether strays are the kernel's, as of the last reading. Takes no lock, no call. */
  boolean causeStrays() {
    return causeStrays;
  }

  /** Reads the settings, unless that was done just now. To be called holding no lock. */
  public void refresh() {
    long before = readAt.get();
    long now = clock.nanos();
    if (now - before >= FRESH_NANOS && readAt.compareAndSet(before, now)) {
      refreshNow();
    }
  }

  /** Reads the settings, before strays count against a client. To be called holding no lock. */
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

  /** The word in brackets; the empty string where there is none. */
  private static String chosen(Path setting) {
    try {
      Matcher chosen = CHOSEN.matcher(Files.readString(setting, StandardCharsets.ISO_8859_1));
      return chosen.find() ? chosen.group(1) : "";
    } catch (IOException e) {
      return ""; // a kernel that has no such setting
    }
  }
}
