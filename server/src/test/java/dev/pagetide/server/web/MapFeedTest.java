package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.pagetide.server.kit.MappedRange;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.shm.PageWord;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What each watcher of the map is told, and what is kept while nobody watches. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
final class MapFeedTest {
  private static final int PAGES = 64;

  /** Of some 400 characters each. */
  private static final int FEW_RANGES = 2000;

  private static ShrinkablePageRange openFragmented(WatchedSessions sessions) {
    ShrinkablePageRange range = sessions.open(PAGES);
    for (int page = 0; page < PAGES; page += 2) {
      range.useRange(page, page + 1);
    }
    return range;
  }

  /** The page forgets all that it knew when it connects, and it knows nothing but frames. */
  @Test
  void next_oldRangeChangedBehindTheFirstFrame_isToldWithItsName() throws Exception {
    try (WatchedSessions sessions = new WatchedSessions(FEW_RANGES, Duration.ZERO)) {
      ShrinkablePageRange oldest = openFragmented(sessions);
      for (int i = 1; i < 40; i++) {
        openFragmented(sessions);
      }
      try (MapFeed.Place first = sessions.feed.join()) {
        while (sessions.next(first).get("more").getAsBoolean()) {
          // The log has all ranges in it then.
        }
        oldest.stopUsingRange(0, 1);
        assertThat(sessions.next(first).getAsJsonArray("ranges")).hasSize(1);

        try (MapFeed.Place second = sessions.feed.join()) {
          Set<Long> named = new HashSet<>();
          int frames = 0;
          for (boolean more = true; more; frames++) {
            JsonObject frame = sessions.next(second);
            for (JsonElement told : frame.getAsJsonArray("ranges")) {
              JsonObject range = told.getAsJsonObject();
              assertThat(named.add(range.get("id").getAsLong())).isTrue();
              assertThat(range.keySet()).as("frame " + frames).contains("name", "mode", "pages");
            }
            more = frame.get("more").getAsBoolean();
          }
          assertThat(frames).isGreaterThan(5);
          assertThat(named).hasSize(40).contains(oldest.id());

          oldest.stopUsingRange(2, 3);
          JsonObject again = WatchedSessions.onlyRange(sessions.next(second));
          assertThat(again.get("id").getAsLong()).isEqualTo(oldest.id());
          assertThat(again.keySet()).as("told once").doesNotContain("name", "mode", "pages");
        }
      }
    }
  }

  @Test
  void join_whileOthersWatch_isToldTheLastRoundAtOnce() throws Exception {
    try (WatchedSessions sessions = WatchedSessions.inOneFrame()) {
      ShrinkablePageRange range = sessions.open(PAGES);
      try (MapFeed.Place first = sessions.feed.join()) {
        var _ = sessions.next(first);

        try (MapFeed.Place second = sessions.feed.join()) {
          // No time has passed, so no round is due.
          JsonObject told = WatchedSessions.onlyRange(WatchedSessions.frame(second.next()));

          assertThat(told.get("id").getAsLong()).isEqualTo(range.id());
        }
      }
    }
  }

  @Test
  void next_wordsThatNoClientMayWrite_areContradictionsAndCountAsTheySay() throws Exception {
    try (WatchedSessions sessions = WatchedSessions.inOneFrame()) {
      ShrinkablePageRange range = sessions.open(8);
      range.useRange(0, 5);
      try (MappedRange client = new MappedRange(ProcessHandle.current().pid(), range.id())) {
        assertThat(client.table().casWord(1, PageWord.USED_WORD, PageWord.free(0))).isTrue();
        assertThat(client.table().casWord(2, PageWord.USED_WORD, 3)).isTrue();
      }
      try (MapFeed.Place place = sessions.feed.join()) {
        JsonObject told = WatchedSessions.onlyRange(sessions.next(place));

        assertThat(told.get("contradictions").getAsInt()).isEqualTo(2);
        assertThat(told.get("used").getAsInt()).isEqualTo(4).isEqualTo(range.counts().used());
        assertThat(told.get("available").getAsInt()).isZero();
        assertThat(Base64.getDecoder().decode(told.get("runs").getAsString()))
            .as("USED, two contradictions, two USED, three FREE")
            .containsExactly(1 << 3 | 2, 1 << 3 | 3, 1 << 3 | 3, 2 << 3 | 2, 3 << 3);
      }
    }
  }

  @Test
  void next_moreRangesThanAreShown_countsThePagesOfAll() throws Exception {
    int hidden = 8;
    int all = MapFeed.MAX_SHOWN + hidden;
    try (WatchedSessions sessions = WatchedSessions.inOneFrame()) {
      for (int i = 0; i < all; i++) {
        ShrinkablePageRange range = sessions.open(4);
        range.useRange(0, 3);
        range.stopUsingRange(0, 1);
      }
      try (MapFeed.Place place = sessions.feed.join()) {
        JsonObject frame = sessions.next(place);

        JsonObject totals = frame.getAsJsonObject("totals");
        assertThat(frame.getAsJsonArray("ranges")).hasSize(MapFeed.MAX_SHOWN);
        assertThat(totals.get("sessions").getAsInt()).isEqualTo(all);
        assertThat(totals.get("shown").getAsInt()).isEqualTo(MapFeed.MAX_SHOWN);
        assertThat(totals.get("pages").getAsInt()).isEqualTo(4 * all);
        assertThat(totals.get("used").getAsInt()).isEqualTo(2 * all);
        assertThat(totals.get("available").getAsInt()).isEqualTo(all);

        sessions.endFirst();
        JsonObject after = sessions.next(place);

        assertThat(after.getAsJsonArray("live")).hasSize(MapFeed.MAX_SHOWN);
        assertThat(WatchedSessions.onlyRange(after).keySet())
            .as("the first hidden range is shown now")
            .contains("name");
        assertThat(after.getAsJsonObject("totals").get("used").getAsInt()).isEqualTo(2 * (all - 1));
      }
    }
  }

  @Test
  void next_roundThatTakesLong_tellsHeartbeatsBetweenItsSlices() throws Exception {
    int ranges = 5;
    try (WatchedSessions sessions = new WatchedSessions(Integer.MAX_VALUE, mostOfAHeartbeat())) {
      for (int i = 0; i < ranges; i++) {
        sessions.open(PAGES);
      }
      try (MapFeed.Place place = sessions.feed.join()) {
        List<String> frames = new ArrayList<>();
        int heartbeats = 0;
        while (frames.isEmpty()) {
          String told = place.next();
          if (told == null) {
            heartbeats++;
          } else {
            frames.add(told);
          }
        }

        assertThat(heartbeats).isGreaterThanOrEqualTo(ranges - 1);
        assertThat(WatchedSessions.frame(frames.getFirst()).getAsJsonArray("ranges"))
            .hasSize(ranges);
      }
    }
  }

  private static Duration mostOfAHeartbeat() {
    return Duration.ofNanos(MapFeed.HEARTBEAT_NANOS * 6 / 10);
  }

  @Test
  void close_lastWatcher_dropsWhatTheLargestRangeNeeded() throws Exception {
    int pages = 4 << 20;
    long wordsBytes = (long) pages * Long.BYTES;
    try (WatchedSessions sessions = WatchedSessions.inOneFrame()) {
      sessions.open(pages);
      long before = usedHeap();

      try (MapFeed.Place place = sessions.feed.join()) {
        var _ = sessions.next(place);
        assertThat(usedHeap() - before).isGreaterThan(wordsBytes / 2);
      }

      assertThat(usedHeap() - before).isLessThan(wordsBytes / 2);
      try (MapFeed.Place place = sessions.feed.join()) {
        JsonObject range = WatchedSessions.onlyRange(sessions.next(place));
        assertThat(range.get("pages").getAsInt()).as("all is told again").isEqualTo(pages);
      }
    }
  }

  private static long usedHeap() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }

  @Test
  void next_rangeOfTooManyRuns_tellsTheFirstAndCountsAll() throws Exception {
    int pages = 50_000;
    try (WatchedSessions sessions = WatchedSessions.inOneFrame()) {
      ShrinkablePageRange range = sessions.open(pages);
      // Ticks of five bytes: so few pages need so many bytes.
      sessions.pass(Duration.ofDays(3 * 365));
      for (int page = 0; page < pages; page += 2) {
        range.useRange(page, page + 1);
      }
      range.stopUsingRange(0, pages);
      try (MapFeed.Place place = sessions.feed.join()) {
        JsonObject told = WatchedSessions.onlyRange(sessions.next(place));

        byte[] encoder = runsOf(told);
        assertThat(encoder.length)
            .isBetween(RunLengthEncoder.MAX_BYTES - 64, RunLengthEncoder.MAX_BYTES);
        assertThat(pagesOf(encoder, RunLengthEncoder.UNTOLD)).isBetween(1_000, pages / 2);
        assertThat(pagesIn(encoder)).isEqualTo(pages);
        assertThat(told.get("available").getAsInt()).isEqualTo(pages / 2);

        range.useRange(pages - 2, pages - 1);
        JsonObject changed = WatchedSessions.onlyRange(sessions.next(place));

        assertThat(runsOf(changed)).isEqualTo(encoder);
        assertThat(changed.get("used").getAsInt()).isEqualTo(1);
      }
    }
  }

  private static byte[] runsOf(JsonObject range) {
    return Base64.getDecoder().decode(range.get("runs").getAsString());
  }

  private static int pagesIn(byte[] encoder) {
    int pages = 0;
    for (int kind = 0; kind < 8; kind++) {
      pages += pagesOf(encoder, kind);
    }
    return pages;
  }

  /** How many pages of a kind there are in runs as {@link RunLengthEncoder} describes them. */
  private static int pagesOf(byte[] encoder, int wanted) {
    int pages = 0;
    for (int at = 0; at < encoder.length; ) {
      long head = 0;
      int shift = 0;
      do {
        head |= (long) (encoder[at] & 0x7f) << shift;
        shift += 7;
      } while (encoder[at++] < 0);
      int kind = (int) (head & 7);
      if (kind == RunLengthEncoder.AVAILABLE || kind == RunLengthEncoder.RECLAIMED) {
        while (encoder[at++] < 0) {
          // The tick.
        }
      }
      pages += kind == wanted ? (int) (head >> 3) : 0;
    }
    return pages;
  }
}
