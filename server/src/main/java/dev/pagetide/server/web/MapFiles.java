package dev.pagetide.server.web;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The files of the map's page, read once from the folder of this class. Immutable. */
final class MapFiles {
  /** One file as it is served. */
  record Served(String contentType, String text) {}

  private static final String HTML = "text/html; charset=utf-8";
  private static final String CSS = "text/css; charset=utf-8";
  private static final String SCRIPT = "text/javascript; charset=utf-8";
  private static final String ICON = "image/svg+xml";

  private static final Map<String, String> TYPES =
      Map.ofEntries(
          Map.entry("index.html", HTML),
          Map.entry("style.css", CSS),
          Map.entry("icon.svg", ICON),
          Map.entry("main.js", SCRIPT),
          Map.entry("stream.js", SCRIPT),
          Map.entry("tide.js", SCRIPT),
          Map.entry("paint.js", SCRIPT),
          Map.entry("words.js", SCRIPT),
          Map.entry("tank.js", SCRIPT),
          Map.entry("strip.js", SCRIPT),
          Map.entry("cards.js", SCRIPT),
          Map.entry("table.js", SCRIPT),
          Map.entry("detail.js", SCRIPT));

  private final Map<String, Served> byPath = new TreeMap<>();

  MapFiles() {
    TYPES.forEach((name, type) ->
        byPath.put(name.equals("index.html") ? "/" : "/map/" + name, new Served(type, read(name))));
  }

  private static String read(String name) {
    try (InputStream file = MapFiles.class.getResourceAsStream("map/" + name)) {
      if (file == null) {
        throw new AssertionError("this build lacks the map's " + name);
      }
      return new String(file.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The file served at a path; null if there is none. */
  @Nullable Served at(String path) {
    return byPath.get(path);
  }
}
