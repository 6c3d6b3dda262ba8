package dev.pagetide.server.metrics;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/** A real Prometheus on a free port and a directory of its own, with the rules that we ship. */
final class RealPrometheus implements AutoCloseable {
  /** What we ship for it; tests run in the module's folder. */
  static final Path SHIPPED = Path.of("ops", "prometheus");

  /** The job of what it scrapes besides the server. */
  static final String STRANGER = "stranger";

  private static final int WAIT_SECONDS = 30;

  private final Path directory;
  private final Process process;
  private final String url;
  private final HttpClient http = HttpClient.newHttpClient();

  private RealPrometheus(Path directory, Process process, String url) {
    this.directory = directory;
    this.process = process;
    this.url = url;
  }

  /**
   * Starts one by the configuration that we ship, with another target and a quicker pulse. Beside
   * it, as everywhere, it scrapes what is none of ours: itself, as {@link #STRANGER}.
   *
   * @param target host and port of what it scrapes
   */
  static RealPrometheus start(String target) throws IOException {
    Path directory = Files.createTempDirectory(Path.of("/tmp"), "pagetide-prometheus");
    try (Stream<Path> files = Files.list(SHIPPED)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, directory.resolve(file.getFileName().toString()));
      }
    }
    Path config = directory.resolve("prometheus.yml");
    String address = "127.0.0.1:" + freePort();
    Files.writeString(
        config,
        Files.readString(config).replace("127.0.0.1:9464", target).replace("15s", "500ms")
            + """

              - job_name: %s
                static_configs:
                  - targets: ["%s"]
            """
                .formatted(STRANGER, address));
    Process process =
        new ProcessBuilder(
                "prometheus",
                "--config.file=" + config,
                "--storage.tsdb.path=" + directory.resolve("data"),
                "--web.listen-address=" + address,
                "--log.level=warn")
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("log").toFile())
            .start();
    RealPrometheus prometheus = new RealPrometheus(directory, process, "http://" + address);
    Awaitility.await().atMost(WAIT_SECONDS, TimeUnit.SECONDS).until(prometheus::isReady);
    return prometheus;
  }

  /** One that was free a moment ago: Prometheus does not tell which port it chose. */
  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private boolean isReady() throws IOException {
    if (!process.isAlive()) {
      throw new AssertionError(Files.readString(directory.resolve("log")));
    }
    try {
      return get("/-/ready").statusCode() == 200;
    } catch (IOException e) {
      return false;
    }
  }

  private HttpResponse<String> get(String path) throws IOException {
    try {
      return http.send(
          HttpRequest.newBuilder(URI.create(url + path))
              .timeout(Duration.ofSeconds(WAIT_SECONDS))
              .build(),
          HttpResponse.BodyHandlers.ofString());
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private JsonElement data(String path) throws IOException {
    JsonObject answer = JsonParser.parseString(get(path).body()).getAsJsonObject();
    if (!answer.get("status").getAsString().equals("success")) {
      throw new AssertionError(path + ": " + answer);
    }
    return answer.get("data");
  }

  /** What it scrapes. */
  List<JsonObject> targets() throws IOException {
    return objects(data("/api/v1/targets").getAsJsonObject().getAsJsonArray("activeTargets"));
  }

  /** All rules of all groups. */
  List<JsonObject> rules() throws IOException {
    return objects(data("/api/v1/rules").getAsJsonObject().getAsJsonArray("groups")).stream()
        .flatMap(group -> objects(group.getAsJsonArray("rules")).stream())
        .toList();
  }

  /** The names of all series that it knows. */
  Set<String> names() throws IOException {
    Set<String> names = new HashSet<>();
    data("/api/v1/label/__name__/values")
        .getAsJsonArray()
        .forEach(name -> names.add(name.getAsString()));
    return names;
  }

  /** The values of a label that the series of a metric have or have had, as Grafana asks for. */
  List<String> labelValues(String label, String metric) throws IOException {
    return data("/api/v1/label/" + label + "/values?match%5B%5D=" + metric)
        .getAsJsonArray()
        .asList()
        .stream()
        .map(JsonElement::getAsString)
        .toList();
  }

  /** The values that an expression has now, those left out that are not numbers. */
  List<Double> query(String expression) throws IOException {
    String encoded = URLEncoder.encode(expression, StandardCharsets.UTF_8);
    JsonObject data = data("/api/v1/query?query=" + encoded).getAsJsonObject();
    return objects(data.getAsJsonArray("result")).stream()
        .map(series -> Double.valueOf(series.getAsJsonArray("value").get(1).getAsString()))
        .filter(value -> !value.isNaN())
        .toList();
  }

  static List<JsonObject> objects(JsonArray array) {
    return array.asList().stream().map(JsonElement::getAsJsonObject).toList();
  }

  @Override
  public void close() throws IOException {
    http.close();
    process.destroy();
    process.onExit().orTimeout(WAIT_SECONDS, TimeUnit.SECONDS).join();
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
