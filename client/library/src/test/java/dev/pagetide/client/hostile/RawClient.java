package dev.pagetide.client.hostile;

import static dev.pagetide.testkit.SystemCalls.check;

import dev.pagetide.shm.HandoffStatus;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.testkit.SystemCalls;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.PageRangeServiceGrpc.PageRangeServiceBlockingStub;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A client without the library: each step on the way to a mapped file is a method, and nothing it
 * maps is looked at before it is used.
 */
final class RawClient implements AutoCloseable {
  private static final long WAIT_SECONDS = 60;

  private final Path directory;
  private final ManagedChannel channel;
  private final BlockingQueue<OpenRangeResponse> events = new LinkedBlockingQueue<>();
  private @Nullable ClientCall<OpenRangeRequest, OpenRangeResponse> stream;
  private Opened opened = Opened.getDefaultInstance();

  RawClient(Path directory) {
    this.directory = directory;
    this.channel =
        Grpc.newChannelBuilder(
                "unix:" + directory.resolve("grpc.sock"), InsecureChannelCredentials.create())
            .disableRetry()
            .directExecutor()
            .build();
  }

  /** Connects, which channels do not before they must. */
  void connect() throws InterruptedException {
    ConnectivityState state = channel.getState(true);
    while (state != ConnectivityState.READY) {
      CountDownLatch changed = new CountDownLatch(1);
      channel.notifyWhenStateChanged(state, changed::countDown);
      if (!changed.await(WAIT_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("not connected: " + state);
      }
      state = channel.getState(true);
    }
  }

  /** Sends OpenRange. */
  void sendOpen(long sizeBytes) {
    ClientCall<OpenRangeRequest, OpenRangeResponse> call =
        channel.newCall(PageRangeServiceGrpc.getOpenRangeMethod(), CallOptions.DEFAULT);
    stream = call;
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onMessage(OpenRangeResponse event) {
            events.add(event);
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            events.add(OpenRangeResponse.getDefaultInstance());
          }
        },
        new Metadata());
    call.sendMessage(OpenRangeRequest.newBuilder().setSizeBytes(sizeBytes).build());
    call.halfClose();
    call.request(1);
  }

  /** Waits for the session. */
  Opened awaitOpened() throws InterruptedException {
    OpenRangeResponse event = events.poll(WAIT_SECONDS, TimeUnit.SECONDS);
    if (event == null || !event.hasOpened()) {
      throw new AssertionError("no session: " + event);
    }
    opened = event.getOpened();
    return opened;
  }

  Opened opened() {
    return opened;
  }

  SharedFileLayout layout() {
    return SharedFileLayout.of(opened.getPageSize(), opened.getPageCount());
  }

  PageRangeServiceBlockingStub stub() {
    return PageRangeServiceGrpc.newBlockingStub(channel)
        .withDeadlineAfter(WAIT_SECONDS, TimeUnit.SECONDS);
  }

  /** A socket that is connected to the hand-off socket, or minus an errno. */
  int connectHandoff() {
    return SystemCalls.connect(directory.resolve("handoff.sock"));
  }

  /** Sends a token as it is to be sent. */
  static void sendToken(int socket, String token) {
    check(SystemCalls.send(socket, token + "\n"));
  }

  /** Reads the status; END if there is none. */
  static String readStatus(int socket) {
    String status = SystemCalls.receive(socket, 1);
    return status.isEmpty()
        ? "END"
        : HandoffStatus.of((byte) status.charAt(0)).map(Enum::name).orElse(status);
  }

  /** The whole hand-off. */
  int fetchDescriptor() {
    int socket = (int) check(connectHandoff());
    try {
      sendToken(socket, opened.getSession());
      String status = readStatus(socket);
      if (!status.equals(HandoffStatus.PASSED.name())) {
        throw new AssertionError("refused: " + status);
      }
      return (int) check(SystemCalls.receiveDescriptor(socket));
    } finally {
      SystemCalls.close(socket);
    }
  }

  /** All of the session's file, as it lies there. */
  MemorySegment map(int descriptor) {
    return SystemCalls.map(descriptor, layout().sizeBytes());
  }

  /** Ends the session and keeps whatever was mapped. */
  void endSession() {
    ClientCall<OpenRangeRequest, OpenRangeResponse> call = stream;
    if (call != null) {
      call.cancel("done", null);
    }
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
