package dev.pagetide.client.hostile;

import static dev.pagetide.testkit.SystemCalls.check;

import com.google.protobuf.ByteString;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.testkit.SystemCalls;
import dev.pagetide.v1.PageRangeServiceGrpc.PageRangeServiceBlockingStub;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.StopUsingRangeRequest;
import dev.pagetide.v1.UseRangeRequest;
import dev.pagetide.v1.WriteRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.StringJoiner;
import java.util.concurrent.CompletableFuture;

/**
 * A process that opens a session, maps its file, and then does to it what it is told on standard
 * input: one command a line, one answer a line. It ends with its input.
 */
final class HostileClient implements AutoCloseable {
  static final long SIZE_BYTES = 1 << 20;

  private static final int CALLS_BESIDE_WRITES = 300;

  private final Path directory;
  private final RawClient client;
  private final SharedFileLayout layout;
  private final int descriptor;
  private final MemorySegment file;

  private HostileClient(Path directory) throws InterruptedException {
    this.directory = directory;
    client = new RawClient(directory);
    client.sendOpen(SIZE_BYTES);
    client.awaitOpened();
    layout = client.layout();
    descriptor = client.fetchDescriptor();
    file = client.map(descriptor);
  }

  /**
   * Runs the client.
   *
   * @param args the directory of the server
   */
  public static void main(String[] args) throws Exception {
    try (HostileClient hostile = new HostileClient(Path.of(args[0]));
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      System.out.println("range " + hostile.client.opened().getRangeId());
      String line = input.readLine();
      while (line != null) {
        System.out.println(hostile.run(line.split(" ", -1)));
        line = input.readLine();
      }
    }
  }

  private String run(String[] words) throws Exception {
    return switch (words[0]) {
      case "scribble" -> scribble(Long.parseLong(words[1]), Integer.parseInt(words[2]));
      case "words" -> setWords(Long.parseLong(words[1]));
      case "calls" -> calls(Long.parseLong(words[1]), Integer.parseInt(words[2]));
      case "trespass" -> trespass(Long.parseLong(words[1]), Integer.parseInt(words[2]));
      case "use-all" -> useAll();
      case "sizes" -> sizes();
      case "append" -> append();
      case "tokens" -> tokens(Integer.parseInt(words[1]));
      case "hold" -> hold(Integer.parseInt(words[1]));
      case "resident" -> Long.toString(SystemCalls.residentBytes(descriptor) / layout.pageSize());
      case "end-session" -> {
        client.endSession();
        yield "ended";
      }
      default -> throw new IllegalArgumentException(words[0]);
    };
  }

  /**
   * Random bytes over header and table for as long as calls on the session are made, and longer.
   */
  private String scribble(long seed, int writes) throws Exception {
    CompletableFuture<String> calls =
        CompletableFuture.supplyAsync(() -> calls(~seed, CALLS_BESIDE_WRITES));
    Random random = new Random(seed);
    for (int i = 0; i < writes || !calls.isDone(); i++) {
      scribbleOnce(random);
    }
    return calls.get();
  }

  /** Half of it plausible words, so that not everything is seen through at once. */
  private void scribbleOnce(Random random) {
    long wordAt = layout.tableOffset() + 8L * random.nextInt(layout.pageCount());
    switch (random.nextInt(4)) {
      case 0 -> file.set(ValueLayout.JAVA_LONG, wordAt, random.nextLong());
      case 1 -> file.set(ValueLayout.JAVA_LONG, wordAt, PageWord.available(System.nanoTime()));
      case 2 -> file.set(ValueLayout.JAVA_LONG, wordAt, random.nextInt(4));
      default ->
          file.set(
              ValueLayout.JAVA_BYTE, random.nextLong(layout.dataOffset()), (byte) random.nextInt());
    }
  }

  private String setWords(long word) {
    for (int page = 0; page < layout.pageCount(); page++) {
      file.set(ValueLayout.JAVA_LONG, layout.tableOffset() + 8L * page, word);
    }
    return "set";
  }

  private String useAll() {
    var used =
        client
            .stub()
            .useRange(
                UseRangeRequest.newBuilder()
                    .setSession(client.opened().getSession())
                    .addPages(PageSpan.newBuilder().setEndPage(layout.pageCount()))
                    .build());
    return "fresh " + used.getFreshCount();
  }

  private String calls(long seed, int count) {
    Set<Status.Code> codes = EnumSet.noneOf(Status.Code.class);
    Random random = new Random(seed);
    for (int i = 0; i < count; i++) {
      codes.add(callAtRandom(random));
    }
    return codes.toString();
  }

  private Status.Code callAtRandom(Random random) {
    PageRangeServiceBlockingStub stub = client.stub();
    String token = client.opened().getSession();
    int start = random.nextInt(layout.pageCount());
    int end = start + 1 + random.nextInt(Math.min(64, layout.pageCount() - start));
    PageSpan span = PageSpan.newBuilder().setStartPage(start).setEndPage(end).build();
    long offset = (long) start * layout.pageSize();
    try {
      var _ =
          switch (random.nextInt(4)) {
            case 0 ->
                stub.useRange(
                    UseRangeRequest.newBuilder().setSession(token).addPages(span).build());
            case 1 ->
                stub.stopUsingRange(
                    StopUsingRangeRequest.newBuilder().setSession(token).addPages(span).build());
            case 2 ->
                stub.read(
                    ReadRequest.newBuilder()
                        .setSession(token)
                        .setOffset(offset)
                        .setLength(1000)
                        .build());
            default ->
                stub.write(
                    WriteRequest.newBuilder()
                        .setSession(token)
                        .setOffset(offset)
                        .setData(ByteString.copyFrom(new byte[1000]))
                        .build());
          };
      return Status.Code.OK;
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode();
    }
  }

  /** Touches, allocates and punches what only the server may, header and table included. */
  private String trespass(long seed, int times) {
    int hugeAsked = SystemCalls.madvise(file, SystemCalls.MADV_COLLAPSE);
    Random random = new Random(seed);
    for (int i = 0; i < times; i++) {
      long offset = (long) random.nextInt(layout.pageCount()) * layout.pageSize();
      long at = layout.dataOffset() + offset;
      long length =
          Math.min(layout.sizeBytes() - at, (1L + random.nextInt(64)) * layout.pageSize());
      switch (random.nextInt(5)) {
        case 0 -> check(SystemCalls.fallocate(descriptor, 0, at, length));
        case 1 -> check(punch(at, length));
        case 2 -> file.set(ValueLayout.JAVA_BYTE, at, (byte) 1);
        case 3 -> {
          if (file.get(ValueLayout.JAVA_BYTE, at) == 77) {
            file.set(ValueLayout.JAVA_BYTE, at, (byte) 0);
          }
        }
        default -> check(punch(0, layout.dataOffset()));
      }
    }
    return hugeAsked == 0 ? "collapsed" : "small pages";
  }

  private int punch(long offset, long length) {
    return SystemCalls.fallocate(
        descriptor, SystemCalls.FALLOC_PUNCH_HOLE | SystemCalls.FALLOC_KEEP_SIZE, offset, length);
  }

  /** Tries to change the size, or who may write; says the errno of each try. */
  private String sizes() {
    long size = layout.sizeBytes();
    StringJoiner errnos = new StringJoiner(" ");
    for (int result :
        List.of(
            SystemCalls.ftruncate(descriptor, 0),
            SystemCalls.ftruncate(descriptor, size - 1),
            SystemCalls.ftruncate(descriptor, size + layout.pageSize()),
            SystemCalls.fallocate(descriptor, 0, size, layout.pageSize()),
            SystemCalls.pwrite(descriptor, new byte[] {1}, size),
            SystemCalls.fcntl(descriptor, SystemCalls.F_ADD_SEALS, SystemCalls.F_SEAL_WRITE),
            SystemCalls.fcntl(
                descriptor, SystemCalls.F_ADD_SEALS, SystemCalls.F_SEAL_FUTURE_WRITE))) {
      errnos.add(Integer.toString(-result));
    }
    return errnos + " size " + (SystemCalls.sizeBytes(descriptor) == size ? "kept" : "changed");
  }

  /** Has every write through its open file go to the file's end. */
  private String append() {
    return Integer.toString(
        SystemCalls.fcntl(
            descriptor, SystemCalls.F_SETFL, SystemCalls.O_RDWR | SystemCalls.O_APPEND));
  }

  /** Sends tokens that no session has; says what statuses came, and how often. */
  private String tokens(int count) {
    String right = client.opened().getSession();
    int unknown = 0;
    int busy = 0;
    int other = 0;
    for (int i = 0; i < count; i++) {
      int socket = client.connectHandoff();
      if (socket < 0) {
        busy++;
        continue;
      }
      // As long as a right one, and different from ours in its first letter only.
      String wrong = (right.startsWith("A") ? "B" : "A") + right.substring(1);
      long _ = SystemCalls.send(socket, wrong + "\n");
      switch (RawClient.readStatus(socket)) {
        case "UNKNOWN_SESSION" -> unknown++;
        case "BUSY" -> busy++;
        default -> other++;
      }
      SystemCalls.close(socket);
    }
    return "unknown " + unknown + " busy " + busy + " other " + other;
  }

  /** Connects to the hand-off socket and says nothing. */
  private String hold(int connections) {
    for (int i = 0; i < connections; i++) {
      check(client.connectHandoff());
    }
    return "held";
  }

  @Override
  public void close() {
    client.close();
  }

  @Override
  public String toString() {
    return "HostileClient of " + directory;
  }
}
