package dev.pagetide.server.kit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.ServerProcess;
import dev.pagetide.v1.ListRangesRequest;
import dev.pagetide.v1.RangeSummary;
import dev.pagetide.v1.ScanRequest;
import dev.pagetide.v1.ScanResponse;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import dev.pagetide.v1.ShrinkerServiceGrpc.ShrinkerServiceBlockingStub;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/** A real server process on a directory of its own, and what tests ask of it. */
public final class TestServer extends ServerProcess {
  private final List<ManagedChannel> channels = new ArrayList<>();

  private TestServer(JavaProcess.Launch launch, List<String> options) throws IOException {
    super(newParent(), launch, ProcessBuilder.Redirect.PIPE, options);
  }

  /** Starts a server with some options beside its directory and a free port for its meters. */
  public static TestServer start(String... options) throws IOException {
    return start(JavaProcess.Launch.PLAIN, options);
  }

  /** As {@link #start(String...)}, with a JVM that is started in another way. */
  public static TestServer start(JavaProcess.Launch launch, String... options) throws IOException {
    List<String> all = new ArrayList<>(Arrays.asList(options));
    if (all.stream().noneMatch(option -> option.startsWith("--http="))) {
      all.add("--http=127.0.0.1:0");
    }
    if (all.stream().noneMatch(option -> option.startsWith("--pressure="))) {
      // Nothing is taken but what the test asks for, however short of memory this machine is.
      all.add("--pressure=dry-run");
    }
    return new TestServer(launch, all);
  }

  /** Where the tide map is, key included; empty if there is none. */
  public String mapUrl() {
    return word("map=");
  }

  /** A new connection. */
  public ManagedChannel connect() {
    ManagedChannel channel =
        Grpc.newChannelBuilder(target(), InsecureChannelCredentials.create())
            .disableRetry()
            .build();
    channels.add(channel);
    return channel;
  }

  /** A new connection whose client takes 64 KiB of answers and, unless they are read, no more. */
  public ManagedChannel connectWithFixedWindow() {
    ManagedChannelBuilder<?> builder =
        Grpc.newChannelBuilder(target(), InsecureChannelCredentials.create()).disableRetry();
    if (!(builder instanceof NettyChannelBuilder netty)) {
      throw new AssertionError(builder);
    }
    ManagedChannel channel = netty.flowControlWindow(65_535).build();
    channels.add(channel);
    return channel;
  }

  /** A new connection by TCP, to a server that was started with {@code --listen}. */
  public ManagedChannel connectTcp() throws IOException {
    ManagedChannel channel =
        Grpc.newChannelBuilderForAddress(
                "127.0.0.1", tcpPort(), InsecureChannelCredentials.create())
            .disableRetry()
            .build();
    channels.add(channel);
    return channel;
  }

  /** The port that --listen chose: its process listens on that one and HTTP's alone. */
  private int tcpPort() throws IOException {
    String http = httpUrl().substring(httpUrl().lastIndexOf(':') + 1);
    List<String> inodes = new ArrayList<>();
    try (Stream<Path> files = Files.list(Path.of("/proc/" + process().pid() + "/fd"))) {
      for (Path file : files.toList()) {
        Matcher socket =
            Pattern.compile("socket:\\[(\\d+)]").matcher(Files.readSymbolicLink(file).toString());
        if (socket.matches()) {
          inodes.add(socket.group(1));
        }
      }
    }
    for (String table : List.of("/proc/net/tcp", "/proc/net/tcp6")) {
      for (String line : Files.readAllLines(Path.of(table))) {
        String[] words = line.trim().split("\\s+", -1);
        if (words.length > 9 && words[3].equals("0A") && inodes.contains(words[9])) {
          int port = Integer.parseInt(words[1].substring(words[1].indexOf(':') + 1), 16);
          if (port != Integer.parseInt(http)) {
            return port;
          }
        }
      }
    }
    throw new AssertionError("the server does not listen on TCP");
  }

  public ShrinkerServiceBlockingStub shrinker() {
    return ShrinkerServiceGrpc.newBlockingStub(connect()).withDeadlineAfter(30, TimeUnit.SECONDS);
  }

  /** As {@link #shrinker}, for more calls than a deadline of one stub's making allows. */
  public ShrinkerServiceBlockingStub shrinkerWithoutDeadline() {
    return ShrinkerServiceGrpc.newBlockingStub(connect());
  }

  public List<RangeSummary> ranges() {
    return shrinker().listRanges(ListRangesRequest.getDefaultInstance()).getRangesList();
  }

  /** Waits until every session has ended. */
  public void awaitNoSessions() {
    Awaitility.await().until(() -> ranges().isEmpty());
  }

  public ScanResponse scanAll() {
    return shrinker().scan(ScanRequest.newBuilder().setPages(Long.MAX_VALUE).build());
  }

  /** The meters as of now: from series, labels included, to value. */
  public Map<String, Double> metrics() {
    Map<String, Double> values = new HashMap<>();
    for (String line : scrape("text/plain").body().lines().toList()) {
      if (!line.startsWith("#")) {
        int space = line.lastIndexOf(' ');
        values.put(line.substring(0, space), Double.valueOf(line.substring(space + 1)));
      }
    }
    return values;
  }

  public double metric(String series) {
    Double value = metrics().get(series);
    assertThat(value).as(series).isNotNull();
    return value == null ? Double.NaN : value;
  }

  /** The sum of all series of one meter, whatever their labels. */
  public double sum(String name) {
    return metrics().entrySet().stream()
        .filter(series -> series.getKey().equals(name) || series.getKey().startsWith(name + "{"))
        .mapToDouble(Map.Entry::getValue)
        .sum();
  }

  public HttpResponse<String> scrape(String accept) {
    return http(HttpRequest.newBuilder().header("Accept", accept), "/metrics");
  }

  public HttpResponse<String> http(HttpRequest.Builder request, String path) {
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(
          request.uri(URI.create(httpUrl() + path)).build(), HttpResponse.BodyHandlers.ofString());
    } catch (IOException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  /** How many descriptors the server has open that match. */
  public long descriptors(String name) throws IOException {
    long count = 0;
    try (Stream<Path> files = Files.list(Path.of("/proc/" + process().pid() + "/fd"))) {
      for (Path file : files.toList()) {
        try {
          if (Files.readSymbolicLink(file).toString().contains(name)) {
            count++;
          }
        } catch (IOException e) {
          // It was closed since it was listed.
        }
      }
    }
    return count;
  }

  /** The server's peak of resident memory, in bytes. */
  public long peakBytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/" + process().pid() + "/status"))) {
      if (line.startsWith("VmHWM:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
      }
    }
    throw new AssertionError("no VmHWM");
  }

  /** Ends the server and asserts that it logged no stack trace; returns what it logged. */
  public String stopWithoutStackTrace() throws Exception {
    disconnect();
    assertThat(process().terminate()).isEqualTo(0);
    String errors = process().errors();
    assertThat(errors.lines()).noneMatch(line -> line.startsWith("\tat "));
    assertThat(errors).doesNotContain("ERROR");
    return errors;
  }

  /** As {@link #stopWithoutStackTrace}, and {@link #close}. */
  public void closeWithoutStackTrace() throws Exception {
    try {
      var _ = stopWithoutStackTrace();
    } finally {
      close();
    }
  }

  private void disconnect() {
    channels.forEach(ManagedChannel::shutdownNow);
    channels.clear();
  }

  @Override
  public void closeAfterTest() throws Exception {
    closeWithoutStackTrace();
  }

  @Override
  public void close() throws IOException {
    disconnect();
    super.close();
  }
}
