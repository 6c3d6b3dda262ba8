package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Requires;
import dev.pagetide.testkit.SystemCalls;
import java.time.Duration;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the tide map shows when the page or the server fails: "Live" is what it says of neither. */
@Tag(Requires.TAG)
final class TideMapTroubleTest {
  private static final int PAGES = 8;

  @AutoClose
  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @AutoClose
  @SuppressWarnings("NullAway.Init")
  private MapBrowser browser;

  @SuppressWarnings("NullAway.Init")
  private RawSession first;

  @SuppressWarnings("NullAway.Init")
  private RawSession second;

  @BeforeEach
  void openMap() throws Exception {
    server = TestServer.start();
    first = RawSession.open(server.connect(), "first", PAGES * RawSession.PAGE);
    second = RawSession.open(server.connect(), "second", PAGES * RawSession.PAGE);
    browser = MapBrowser.start();
    browser.screen(1280, 940, false);
    browser.open(server.mapUrl());
    awaitConnection("Live");
    awaitPainted(first, "........");
    awaitPainted(second, "........");
  }

  @AfterEach
  void noStackTraceWasLogged() throws Exception {
    server.closeWithoutStackTrace();
  }

  private static ConditionFactory soon() {
    return await().pollInterval(Duration.ofMillis(50)).atMost(Duration.ofSeconds(30));
  }

  private void awaitConnection(String beginning) {
    soon().untilAsserted(() -> assertThat(browser.text("#connection")).startsWith(beginning));
    String isStale = Boolean.toString(!beginning.equals("Live"));
    assertThat(browser.ask("document.body.classList.contains('stale')")).isEqualTo(isStale);
  }

  private void awaitPainted(RawSession session, String letters) {
    long id = session.opened().getRangeId();
    soon().untilAsserted(() -> assertThat(browser.painted(id)).isEqualTo(letters));
  }

  @Test
  void map_aCardCannotBeDrawn_saysSoAndDrawsWhatItCan() {
    browser
        .driver()
        .executeScript(
            """
            window.canvas = document.querySelector('.card canvas');
            window.canvas.getContext = () => { throw new Error('no context'); };
            """);
    var _ = first.use(0, 2);

    awaitConnection("This page failed to draw a part");

    var _ = second.use(3, 5);
    awaitPainted(second, "...UU...");
    soon().until(() -> browser.text("#figure-used").equals("16 KiB"));

    browser.driver().executeScript("delete window.canvas.getContext;");

    awaitConnection("Live");
    awaitPainted(first, "UU......");
    assertThat(browser.complaints())
        .as("one for all the frames that failed")
        .singleElement()
        .matches(line -> line.contains("no context"));
  }

  @Test
  void map_aFrameCannotBeTakenOver_saysSoAndStartsOver() {
    browser
        .driver()
        .executeScript(
            """
            window.readBase64 = window.atob;
            window.atob = () => { throw new Error('no base64'); };
            """);
    var _ = first.use(0, 2);

    awaitConnection("This page failed to take over");

    browser.driver().executeScript("window.atob = window.readBase64;");

    awaitConnection("Live");
    awaitPainted(first, "UU......");
    awaitPainted(second, "........");
    assertThat(browser.complaints()).isNotEmpty().allMatch(line -> line.contains("no base64"));
  }

  @Test
  void map_serverStopped_isNotLiveUntilItSaysSomethingAgain() throws Exception {
    server.process().signal(SystemCalls.SIGSTOP);

    awaitConnection("Nothing comes from the server");

    server.process().signal(SystemCalls.SIGCONT);

    awaitConnection("Live");
    var _ = first.use(0, 2);
    awaitPainted(first, "UU......");
    soon().until(() -> browser.text("#sessions tbody tr .link").equals("first"));
  }

  /** 2,880,000 pages in eight hours are 100 a second, and none after a connection began. */
  @Test
  void rates_framesFarApart_areByTheTimeBetweenThem() {
    browser
        .driver()
        .executeScript(
            """
            window.canvas = document.createElement('canvas');
            window.canvas.style.cssText = 'display: block; width: 300px; height: 90px';
            document.body.append(window.canvas);
            window.texts = [];
            window.canvas.getContext('2d').fillText = text => window.texts.push(text);
            window.totals = allocated => ({ allocated, reclaimed: { budget: allocated } });
            import('/map/strip.js').then(({ Strip }) => {
              window.strip = new Strip(window.canvas);
            });
            """);
    soon().until(() -> browser.ask("typeof window.strip").equals("object"));
    browser.driver().executeScript("strip.take(totals(5), 0, 1000);");
    assertThat(browser.ask("JSON.stringify(strip.rates())"))
        .isEqualTo("{\"allocated\":0,\"reclaimed\":0}");

    browser.driver().executeScript("strip.take(totals(2880005), 0, 28801000); strip.draw();");

    assertThat(browser.ask("JSON.stringify(strip.rates())"))
        .isEqualTo("{\"allocated\":100,\"reclaimed\":100}");
    assertThat(browser.ask("texts[0]")).isEqualTo("100 a second");

    browser.driver().executeScript("strip.take(totals(2880205), 0, 28801500);");
    assertThat(browser.ask("strip.rates().allocated")).as("of the last second").isEqualTo("100");
    browser.driver().executeScript("strip.take(totals(2880405), 0, 28802000);");
    assertThat(browser.ask("strip.rates().allocated")).isEqualTo("400");

    browser
        .driver()
        .executeScript("strip.forgetCounters(); strip.take(totals(9880405), 0, 28802250);");

    assertThat(browser.ask("strip.rates().allocated")).isEqualTo("0");
  }

  /** Counters that grew before the hello are no rate; the same after it are. */
  @Test
  void rates_afterHello_areNotComparedWithWhatWasToldBefore() {
    browser.runFirst(
        """
        window.grown = 0;
        window.frames = 0;
        window.rates = new Set();
        const parse = JSON.parse;
        JSON.parse = text => {
          const told = parse(text);
          if (told.instance) window.lastHello = text;
          if (told.totals) {
            told.totals.allocated += window.grown;
            window.frames++;
            window.rates.add(document.querySelector('#rate-allocated').textContent);
          }
          return told;
        };
        window.EventSource = class extends window.EventSource {
          constructor(url) {
            super(url);
            window.source = this;
          }
        };
        """);
    browser.driver().navigate().refresh();
    awaitConnection("Live");
    awaitFrames(2);

    browser
        .driver()
        .executeScript(
            """
            window.grown = 9000000;
            window.source.dispatchEvent(new MessageEvent('hello', { data: window.lastHello }));
            """);
    awaitFrames(12);
    assertThat(browser.ask("[...window.rates].join()")).isEqualTo("0");

    browser.driver().executeScript("window.grown = 18000000;");
    awaitFrames(12);
    assertThat(browser.ask("[...window.rates].some(rate => rate.length > 7)")).isEqualTo("true");
  }

  private void awaitFrames(int more) {
    int frames = Integer.parseInt(browser.ask("window.frames"));
    soon().until(() -> Integer.parseInt(browser.ask("window.frames")) >= frames + more);
  }
}
