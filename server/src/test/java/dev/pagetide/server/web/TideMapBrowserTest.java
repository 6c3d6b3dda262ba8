package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.kit.MappedRange;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Requires;
import dev.pagetide.v1.ScanRequest;
import io.grpc.ManagedChannel;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;

/** The tide map in a real browser, over a real server whose sessions do what a script says. */
@Tag(Requires.TAG)
final class TideMapBrowserTest {
  @AutoClose
  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @AutoClose
  @SuppressWarnings("NullAway.Init")
  private MapBrowser browser;

  @BeforeEach
  void start() throws Exception {
    server = TestServer.start("--max-resident-bytes=16MiB", "--max-resident-bytes-per-uid=16MiB");
    browser = MapBrowser.start();
    browser.screen(1280, 940, false);
  }

  @AfterEach
  void noStackTraceWasLogged() throws Exception {
    server.closeWithoutStackTrace();
  }

  private static ConditionFactory soon() {
    return await().pollInterval(Duration.ofMillis(50)).atMost(Duration.ofSeconds(20));
  }

  private void open() {
    browser.open(server.mapUrl());
    soon().until(() -> browser.text("#connection").equals("Live"));
  }

  /** Waits until a range's pages are painted, and counted, so. */
  private void awaitPages(RawSession session, String letters) {
    long id = session.opened().getRangeId();
    soon().untilAsserted(() -> assertThat(browser.painted(id)).isEqualTo(letters));
    String card = "document.querySelector('.card[data-range=\"" + id + "\"]')";
    assertThat(browser.ask(card + ".dataset.used")).isEqualTo(count(letters, 'U'));
    assertThat(browser.ask(card + ".dataset.available")).isEqualTo(count(letters, 'a'));
    assertThat(browser.ask(card + ".dataset.free")).isEqualTo(count(letters, '.'));
    assertThat(browser.ask(card + ".getAttribute('aria-label')"))
        .contains(count(letters, 'U') + " USED", count(letters, 'a') + " AVAILABLE");
  }

  private static String count(String letters, char letter) {
    return Long.toString(letters.chars().filter(c -> c == letter).count());
  }

  private void assertNothingComplained() {
    assertThat(browser.complaints()).isEmpty();
    assertThat(browser.origins())
        .allMatch(origin -> origin.equals(server.httpUrl()) || !origin.startsWith("http"))
        .contains(server.httpUrl());
  }

  @Test
  void map_whilePagesComeAndGo_showsEachInItsState() {
    RawSession session = RawSession.open(server.connect(), "scripted", 16 * RawSession.PAGE);
    open();
    assertThat(browser.driver().getCurrentUrl()).isEqualTo(server.httpUrl() + "/");
    awaitPages(session, "................");

    var _ = session.use(0, 10);
    awaitPages(session, "UUUUUUUUUU......");

    session.stop(2, 8);
    awaitPages(session, "UUaaaaaaUU......");
    assertThat(browser.ask("document.body.dataset.available")).isEqualTo("6");

    var _ = server.shrinker().scan(ScanRequest.newBuilder().setPages(4).build());
    // One stamp for all: the highest of them go first.
    awaitPages(session, "UUaa....UU......");
    assertThat(browser.text("#reclaims")).contains("4 pages: the operator asked");
    assertThat(browser.ask("document.body.dataset.reclaimed")).isEqualTo("4");

    session.cancel();
    soon().until(() -> browser.text("#map").isEmpty());
    soon().until(() -> browser.text("#sessions tbody").isEmpty());
    assertNothingComplained();
  }

  @Test
  void map_pagesReclaimed_flashesThem() {
    RawSession session = RawSession.open(server.connect(), "flashing", 8 * RawSession.PAGE);
    var _ = session.use(0, 8);
    session.stop(0, 8);
    open();
    awaitPages(session, "aaaaaaaa");
    long id = session.opened().getRangeId();
    browser
        .driver()
        .executeScript(
            """
            window.flashed = false;
            new MutationObserver(() => {
              window.flashed ||= document.querySelector('.reclaiming') !== null;
            }).observe(
              document.querySelector('#map'), { subtree: true, attributeFilter: ['class'] });
            """);

    assertThat(server.scanAll().getReclaimed()).isEqualTo(8);

    soon().until(() -> browser.ask("window.flashed").equals("true"));
    soon().until(() -> browser.painted(id).equals("........"));
    soon().until(() -> browser.ask("document.querySelector('.reclaiming')").equals("null"));
  }

  @Test
  void map_wordsThatAClientForged_countAsTheServerBelieves() throws Exception {
    RawSession session = RawSession.open(server.connect(), "forger", 6 * RawSession.PAGE);
    long id = session.opened().getRangeId();
    assertThat(session.use(0, 4)).hasSize(1);
    try (MappedRange client = new MappedRange(server, id)) {
      PageTable words = client.table();
      assertThat(words.casWord(0, PageWord.USED_WORD, PageWord.available(PageWord.MAX_STAMP)))
          .as("stopped in 146 years")
          .isTrue();
      assertThat(words.casWord(1, PageWord.USED_WORD, PageWord.available(1)))
          .as("stopped before the server was there")
          .isTrue();
      assertThat(words.casWord(2, PageWord.USED_WORD, 3)).as("no state").isTrue();
      assertThat(words.casWord(4, 0, PageWord.USED_WORD)).as("without memory").isTrue();
      open();

      // The third has the contradiction's colour.
      soon().untilAsserted(() -> assertThat(browser.painted(id)).isEqualTo("aa?U.."));
      String card = "document.querySelector('.card')";
      assertThat(browser.ask(card + ".dataset.used")).isEqualTo("2");
      assertThat(browser.ask(card + ".dataset.free")).isEqualTo("2");
      soon()
          .until(() ->
              browser
                  .ask("[...document.querySelectorAll('#sessions .warn')].map(c => c.textContent)")
                  .equals("1"));
      assertNothingComplained();
    }
  }

  @Test
  void map_namesOfStrangers_areText() {
    String name = "<script>alert(1)</script>";
    RawSession session = RawSession.open(server.connect(), name, 4 * RawSession.PAGE);
    RawSession image = RawSession.open(server.connect(), "<img src=x onerror=alert(2)>\"'&", 4096);
    open();
    awaitPages(session, "....");
    awaitPages(image, ".");

    soon().until(() -> browser.text("#sessions tbody tr .link").equals(name));
    assertThat(browser.text(".card .name")).isEqualTo(name);
    browser.driver().findElement(By.cssSelector(".card")).click();
    soon().until(() -> browser.text("#detail-title").equals(name));
    assertThat(browser.ask("document.querySelectorAll('script').length")).isEqualTo("1");
    assertThat(browser.ask("document.querySelectorAll('#map img, #sessions img').length"))
        .isEqualTo("0");
    assertNothingComplained();
  }

  @Test
  void map_serverStartedAgain_saysSoAndGoesOn() throws Exception {
    String port = Integer.toString(URI.create(server.httpUrl()).getPort());
    server.closeWithoutStackTrace();
    server = TestServer.start("--http=127.0.0.1:" + port);
    RawSession before = RawSession.open(server.connect(), "before", 4 * RawSession.PAGE);
    open();
    awaitPages(before, "....");

    var _ = server.stopWithoutStackTrace();
    soon().until(() -> browser.text("#connection").startsWith("The server is away."));
    assertThat(browser.ask("document.body.classList.contains('stale')")).isEqualTo("true");
    server.startAgain();

    RawSession after = RawSession.open(server.connect(), "after", 8 * RawSession.PAGE);
    var _ = after.use(0, 3);
    soon().until(() -> browser.text("#connection").equals("Live"));
    awaitPages(after, "UUU.....");
    soon().until(() -> browser.text("#sessions tbody tr .link").equals("after"));
    assertThat(browser.text("#reclaims")).contains("the server was started again");
    // The browser itself tells of each connection that nobody took.
    assertThat(browser.complaints())
        .allMatch(line ->
            line.contains("ERR_CONNECTION_REFUSED")
                || line.contains("ERR_INCOMPLETE_CHUNKED_ENCODING"));
  }

  @Test
  void map_serverWithAnotherKey_saysWhatToDo() throws Exception {
    String port = Integer.toString(URI.create(server.httpUrl()).getPort());
    server.closeWithoutStackTrace();
    server = TestServer.start("--http=127.0.0.1:" + port);
    open();

    var _ = server.stopWithoutStackTrace();
    try (TestServer other = TestServer.start("--http=127.0.0.1:" + port)) {
      soon()
          .until(() -> browser.text("#connection").contains("Open the map= URL of its ready line"));
      var _ = other.stopWithoutStackTrace();
    }
    server.startAgain();
    soon().until(() -> browser.text("#connection").equals("Live"));
  }

  @Test
  void map_byKeyboardAlone_opensARangeAndSortsTheTable() {
    RawSession first = RawSession.open(server.connect(), "first", 4 * RawSession.PAGE);
    RawSession second = RawSession.open(server.connect(), "second", 8 * RawSession.PAGE);
    var _ = second.use(0, 2);
    open();
    awaitPages(first, "....");
    awaitPages(second, "UU......");

    browser.driver().executeScript("document.querySelector('.card').focus()");
    browser.driver().switchTo().activeElement().sendKeys(Keys.ARROW_RIGHT);
    browser.driver().switchTo().activeElement().sendKeys(Keys.ENTER);
    soon().until(() -> browser.text("#detail-title").equals("second"));
    WebElement grid = browser.driver().findElement(By.id("detail-grid"));
    grid.sendKeys(Keys.ARROW_RIGHT);
    soon()
        .until(() -> browser.text("#detail-page").equals("Page 1 is USED: it is never reclaimed."));
    grid.sendKeys(Keys.END);
    soon().until(() -> browser.text("#detail-page").startsWith("Page 7 is FREE"));
    assertThat(browser.text("#detail-runs")).isEqualTo("pages 0 to 1: USEDpages 2 to 7: FREE");
    browser.driver().switchTo().activeElement().sendKeys(Keys.ESCAPE);
    soon().until(() -> browser.ask("document.querySelector('#detail').open").equals("false"));
    assertThat(browser.ask("document.activeElement.dataset.range"))
        .as("the focus is back")
        .isEqualTo(Long.toString(second.opened().getRangeId()));

    WebElement used = browser.driver().findElement(By.xpath("//th/button[text()='USED']"));
    used.sendKeys(Keys.ENTER);
    soon().until(() -> browser.text("#sessions tbody tr .link").equals("second"));
    assertThat(
            browser.ask(
                "document.querySelector('th[aria-sort]').textContent + "
                    + "document.querySelector('th[aria-sort]').getAttribute('aria-sort')"))
        .isEqualTo("USEDdescending");
    used.sendKeys(Keys.ENTER);
    soon().until(() -> browser.text("#sessions tbody tr .link").equals("first"));
    assertNothingComplained();
  }

  @Test
  void map_axe_findsNoSeriousViolation() throws Exception {
    RawSession session = RawSession.open(server.connect(), "looked at", 64 * RawSession.PAGE);
    var _ = session.use(0, 20);
    session.stop(5, 9);
    open();
    String axe;
    try (InputStream script = TideMapBrowserTest.class.getResourceAsStream("/axe.min.js")) {
      assertThat(script).as("axe-core's jar").isNotNull();
      axe =
          new String(script == null ? new byte[0] : script.readAllBytes(), StandardCharsets.UTF_8);
    }
    browser.driver().executeScript(axe);
    for (boolean dark : List.of(false, true)) {
      for (boolean detail : List.of(false, true)) {
        browser.screen(1280, 900, dark);
        if (detail) {
          browser.driver().findElement(By.cssSelector(".card")).click();
        }
        Object found =
            browser
                .driver()
                .executeAsyncScript(
                    """
                    const done = arguments[0];
                    axe.run(document).then(result => done(result.violations
                      .filter(v => v.impact === 'serious' || v.impact === 'critical')
                      .map(v => v.id + ': '
                        + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | '))
                      .concat(result.passes.length > 10 ? [] : ['axe looked at nothing'])));
                    """);
        assertThat(found).as("dark=" + dark + " detail=" + detail).isEqualTo(List.of());
        browser.driver().executeScript("document.querySelector('#detail').close()");
      }
    }
  }

  @Test
  void table_rangeThatHeldItsLastPage_namesThatPage() {
    RawSession full = RawSession.open(server.connect(), "full", 16 * RawSession.PAGE);
    var _ = full.use(0, 16);
    var _ = RawSession.open(server.connect(), "none", 16 * RawSession.PAGE);
    open();

    String row = "[...document.querySelectorAll('#sessions tbody tr')].find(r => ";
    String highest =
        ")?.children[[...document.querySelectorAll('#sessions thead th')]"
            + ".findIndex(h => h.textContent.startsWith('highest page'))]?.textContent";
    soon()
        .untilAsserted(() -> {
          assertThat(browser.ask(row + "r.textContent.includes('full')" + highest)).isEqualTo("15");
          String none = browser.ask(row + "r.textContent.includes('none')" + highest);
          assertThat(none).isEqualTo("–");
        });
  }

  /** The same numbers as pagetide top's HumanUnitsTest: both are rounded down. */
  @Test
  void size_anyNumber_isRoundedDownAsTopDoes() {
    open();
    browser
        .driver()
        .executeScript("import('/map/words.js').then(words => { window.size = words.size; })");
    soon().until(() -> browser.ask("typeof window.size").equals("function"));

    assertThat(
            browser.ask(
                "[0, 1023, 4096, 1610612736, 12884901888, 4.1e18, 6334631936].map(size).join()"))
        .isEqualTo("0 B,1023 B,4 KiB,1.5 GiB,12 GiB,3.5 EiB,5.8 GiB");
  }

  @Test
  void table_narrowerThanItsColumns_showsAShadowWhereTheyGoOn() {
    var _ = RawSession.open(server.connect(), "wide", RawSession.PAGE);
    browser.screen(390, 900, false);
    open();
    soon().until(() -> !browser.text("#sessions tbody").isEmpty());
    String table = "document.querySelector('.table-scroll')";

    assertThat(browser.ask(table + ".scrollWidth > " + table + ".clientWidth")).isEqualTo("true");
    assertThat(browser.ask("getComputedStyle(" + table + ").backgroundAttachment"))
        .as("covers move with the columns, shadows stay at the edges")
        .isEqualTo("local, local, scroll, scroll, scroll");
  }

  @Test
  void map_manyRanges_showsThemAll() {
    int many = 500;
    int perRange = 3;
    ManagedChannel channel = server.connect();
    for (int i = 0; i < many; i++) {
      RawSession session = RawSession.open(channel, "n" + i, 64 * RawSession.PAGE);
      var _ = session.use(0, perRange);
    }
    open();

    String all = Integer.toString(many);
    soon().until(() -> browser.ask("document.querySelectorAll('.card').length").equals(all));
    soon()
        .until(() ->
            browser.ask("document.querySelectorAll('#sessions tbody tr').length").equals(all));
    assertThat(browser.ask("document.body.dataset.used"))
        .isEqualTo(Integer.toString(many * perRange));
    assertThat(browser.text("#map-note")).isEqualTo("500 ranges, 32,000 pages");
    assertNothingComplained();
  }

  /**
   * Pictures for whoever wants to see what is tested, and, with -Dpagetide.images=DIR, for the
   * README.
   */
  @Test
  void map_atWorkOnDeskAndPhone_isPhotographed() throws Exception {
    Path folder = Path.of("target/images");
    List<RawSession> sessions = MapScene.open(server);
    open();
    soon().until(() -> browser.ask("document.querySelectorAll('.card').length").equals("8"));
    for (int tide = 1; tide <= 8; tide++) {
      String reclaimed = Long.toString(MapScene.tide(server, sessions));
      soon().until(() -> browser.ask("document.body.dataset.reclaimed").equals(reclaimed));
    }
    shoot(folder, "tide-map", 1280, 1120, false);
    shoot(folder, "tide-map-dark", 1280, 1120, true);
    shoot(folder, "tide-map-phone", 390, 1240, false);
    shoot(folder, "tide-map-phone-dark", 390, 1240, true);
    browser.screen(1280, 940, false);
    browser.driver().findElement(By.cssSelector(".card")).click();
    soon().until(() -> browser.text("#detail-page").startsWith("Page 0"));
    browser.shoot(folder.resolve("tide-map-detail.png"));
    String published = System.getProperty("pagetide.images");
    if (published != null) {
      for (String name : List.of("tide-map.png", "tide-map-phone.png")) {
        Files.copy(
            folder.resolve(name),
            Files.createDirectories(Path.of(published)).resolve(name),
            StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  private void shoot(Path folder, String name, int width, int height, boolean dark)
      throws Exception {
    browser.screen(width, height, dark);
    soon()
        .until(
            () -> browser.ask("document.querySelector('.card canvas').width > 1").equals("true"));
    assertThat(browser.ask("document.documentElement.scrollWidth <= innerWidth"))
        .as("nothing sticks out at " + width)
        .isEqualTo("true");
    browser.shoot(folder.resolve(name + ".png"));
  }
}
