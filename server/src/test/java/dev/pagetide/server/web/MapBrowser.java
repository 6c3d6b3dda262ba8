package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.logging.Level;
import java.util.stream.Collectors;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.json.Json;
import org.openqa.selenium.logging.LogEntry;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;

/** Debian's Chromium without a window, looking at the tide map; closed with all its processes. */
final class MapBrowser implements AutoCloseable {
  private static final String WHY = "the tide map is shown in a real browser";

  private final ChromeDriverService service;
  private final ChromeDriver driver;

  private MapBrowser(ChromeDriverService service, ChromeDriver driver) {
    this.service = service;
    this.driver = driver;
  }

  /** Starts a browser, or skips the test where there is none. */
  static MapBrowser start() throws IOException {
    return start(Requires.command("chromium", WHY));
  }

  /** Starts a browser by its command, or skips the test where there is nothing to drive it. */
  static MapBrowser start(Path chromium) throws IOException {
    Path chromedriver = Requires.command("chromedriver", WHY);
    ChromeOptions options = new ChromeOptions();
    options.setBinary(chromium.toFile());
    options.addArguments(
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--force-device-scale-factor=1");
    LoggingPreferences logs = new LoggingPreferences();
    logs.enable(LogType.BROWSER, Level.ALL);
    logs.enable(LogType.PERFORMANCE, Level.ALL);
    options.setCapability("goog:loggingPrefs", logs);
    ChromeDriverService service =
        new ChromeDriverService.Builder()
            .usingDriverExecutable(chromedriver.toFile())
            .usingAnyFreePort()
            .build();
    service.start();
    boolean started = false;
    try {
      MapBrowser browser = new MapBrowser(service, new ChromeDriver(service, options));
      started = true;
      return browser;
    } finally {
      if (!started) {
        service.stop();
      }
    }
  }

  ChromeDriver driver() {
    return driver;
  }

  void open(String url) {
    driver.get(url);
  }

  /** Runs a script in each page that is opened from now on, before the page's own. */
  void runFirst(String script) {
    var _ =
        driver.executeCdpCommand("Page.addScriptToEvaluateOnNewDocument", Map.of("source", script));
  }

  /** Makes the page as large as a screen, in the units of style sheets. */
  void screen(int width, int height, boolean dark) {
    driver.executeCdpCommand(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", width < 600));
    driver.executeCdpCommand(
        "Emulation.setEmulatedMedia",
        Map.of(
            "features",
            List.of(Map.of("name", "prefers-color-scheme", "value", dark ? "dark" : "light"))));
  }

  /** What a script returns; null becomes the empty string. */
  String ask(String script, Object... arguments) {
    return String.valueOf(driver.executeScript("return String(" + script + ")", arguments));
  }

  /** The text of the element that a selector finds; the empty string where there is none. */
  String text(String selector) {
    return ask("document.querySelector(arguments[0])?.textContent ?? ''", selector);
  }

  /**
   * The states that a range's card paints, one letter a page, from the pixels of its canvas: {@code
   * .} FREE, {@code a} AVAILABLE, {@code U} USED, {@code r} just reclaimed, {@code ?} none of them.
   */
  String painted(long rangeId) {
    return ask(
        """
        (() => {
          const style = getComputedStyle(document.documentElement);
          const named = name => [1, 3, 5].map(i =>
            parseInt(style.getPropertyValue(name).trim().slice(i, i + 2), 16));
          const same = (a, b) => a.every((value, i) => value === b[i]);
          const between = (a, from, to) => a.every((value, i) =>
            value >= Math.min(from[i], to[i]) - 1 && value <= Math.max(from[i], to[i]) + 1);
          const card = document.querySelector(`[data-range="${arguments[0]}"].card`);
          const canvas = card?.querySelector('canvas');
          if (!canvas) return 'no card';
          const pixels = canvas.getContext('2d')
            .getImageData(0, 0, canvas.width, canvas.height).data;
          let letters = '';
          for (let page = 0; page < Number(card.dataset.pages); page++) {
            const pixel = [0, 1, 2].map(i => pixels[page * 4 + i]);
            if (same(pixel, named('--free'))) letters += '.';
            else if (same(pixel, named('--used'))) letters += 'U';
            else if (between(pixel, named('--available'), named('--available-pale')))
              letters += 'a';
            else if (between(pixel, named('--reclaimed'), named('--free'))) letters += 'r';
            else letters += '?';
          }
          return letters;
        })()\
        """,
        rangeId);
  }

  /** What the browser complained of since it was asked last. */
  List<String> complaints() {
    return driver.manage().logs().get(LogType.BROWSER).getAll().stream()
        .filter(entry -> entry.getLevel().intValue() >= Level.WARNING.intValue())
        .map(LogEntry::getMessage)
        // It is painted() that reads back, as no page of ours does.
        .filter(message -> !message.contains("willReadFrequently"))
        .toList();
  }

  /** The origins of all requests since it was asked last. */
  Set<String> origins() {
    return driver.manage().logs().get(LogType.PERFORMANCE).getAll().stream()
        .map(entry ->
            field(
                new Json().<Map<String, Object>>toType(entry.getMessage(), Json.MAP_TYPE),
                "message"))
        .filter(message -> "Network.requestWillBeSent".equals(message.get("method")))
        .map(message -> String.valueOf(field(field(message, "params"), "request").get("url")))
        .map(url -> url.replaceFirst("^([a-z]+://[^/]*).*", "$1"))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static Map<?, ?> field(Map<?, ?> object, String name) {
    return object.get(name) instanceof Map<?, ?> value ? value : Map.of();
  }

  /** Writes what is seen now. */
  void shoot(Path file) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    Files.write(file, driver.getScreenshotAs(OutputType.BYTES));
    assertThat(file).isNotEmptyFile();
  }

  @Override
  public void close() {
    try {
      driver.quit();
    } finally {
      service.stop();
    }
  }
}
