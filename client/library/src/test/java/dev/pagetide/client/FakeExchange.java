package dev.pagetide.client;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.Accepted;
import dev.pagetide.v1.Allocated;
import dev.pagetide.v1.Attached;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Failed;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.Replied;
import dev.pagetide.v1.Transaction;
import dev.pagetide.v1.TransactionEnded;
import dev.pagetide.v1.TransactionFlag;
import dev.pagetide.v1.TransactionSender;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.ClientInterceptor;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * A server in this process whose Exchange does what a test tells it to: it takes commands down and
 * answers none but Attach by itself.
 */
final class FakeExchange extends TransactionServiceGrpc.TransactionServiceImplBase
    implements AutoCloseable {

  private static final int PATIENCE_SECONDS = 20;
  private static final int PAGE_SIZE = 4096;
  private static final int PAGE_COUNT = 4;

  /** Opening, and Read of a range that is not mapped. */
  final FakeServer sessions = new FakeServer();

  final CompletableFuture<Void> cancelled = new CompletableFuture<>();

  boolean answersAttach = true;

  /** Whether commands are asked for. */
  boolean takesCommands = true;

  private final LinkedBlockingQueue<ExchangeRequest> commands = new LinkedBlockingQueue<>();

  /** Frees that {@link #nextReplyAfterFrees} has kept. For the test's thread. */
  private final Deque<ExchangeRequest> overtaken = new ArrayDeque<>();

  private final Server server;
  private final String name = InProcessServerBuilder.generateName();
  private volatile @Nullable ServerCallStreamObserver<ExchangeResponse> events;

  FakeExchange() {
    try {
      server =
          InProcessServerBuilder.forName(name)
              .directExecutor()
              .addService(this)
              .addService(sessions)
              .build()
              .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  PagetideClient client() {
    return client(ClientOptions.DEFAULT);
  }

  PagetideClient client(ClientOptions options) {
    return new PagetideClient(
        InProcessChannelBuilder.forName(name).directExecutor().build(), options);
  }

  PagetideClient client(ClientInterceptor interceptor) {
    return new PagetideClient(
        InProcessChannelBuilder.forName(name).directExecutor().intercept(interceptor).build(),
        ClientOptions.DEFAULT);
  }

  /** A session whose range's file is mapped. */
  Mapped mapped(Path folder, boolean keepFile) throws IOException {
    sessions.opened =
        sessions.opened.toBuilder()
            .setPageSize(PAGE_SIZE)
            .setPageCount(PAGE_COUNT)
            .setMaxDataBytes(1 << 20)
            .build();
    Mapped mapped = new Mapped(folder.resolve("range"), sessions.opened, keepFile);
    return mapped;
  }

  io.grpc.ManagedChannel channel() {
    return InProcessChannelBuilder.forName(name).directExecutor().build();
  }

  @Override
  public StreamObserver<ExchangeRequest> exchange(StreamObserver<ExchangeResponse> responses) {
    var observer = (ServerCallStreamObserver<ExchangeResponse>) responses;
    observer.setOnCancelHandler(() -> cancelled.complete(null));
    if (!takesCommands) {
      observer.disableAutoRequest();
      observer.request(1); // Attach
    }
    events = observer;
    return new StreamObserver<>() {
      @Override
      public void onNext(ExchangeRequest message) {
        take(message);
        message.getAlsoList().forEach(this::take);
      }

      private void take(ExchangeRequest command) {
        commands.add(command);
        if (command.hasAttach() && answersAttach) {
          answer(command, event -> event.setAttached(Attached.getDefaultInstance()));
        }
      }

      @Override
      public void onError(Throwable t) {}

      @Override
      public void onCompleted() {}
    };
  }

  private ServerCallStreamObserver<ExchangeResponse> events() {
    return requireNonNull(events);
  }

  /** Takes commands from now on. */
  void takeCommands() {
    events().request(1_000_000);
  }

  /** The next command, which must be of that kind. */
  ExchangeRequest next(CommandCase kind) {
    ExchangeRequest command = next();
    assertThat(command.getCommandCase()).isEqualTo(kind);
    return command;
  }

  /**
   * The next command, which must be a Reply, where its handler does not wait for the answer. Frees
   * that wait are sent before the commands that wait, so the free of the handler's own buffer may
   * overtake the Reply. Frees that come first are kept for the next call that asks for frees.
   *
   * @param mayOvertake the buffers whose free may come first
   */
  ExchangeRequest nextReplyAfterFrees(long... mayOvertake) {
    ExchangeRequest command = received();
    while (command.hasFreeBuffers()) {
      assertThat(command.getFreeBuffers().getOffsetsList())
          .isSubsetOf(LongStream.of(mayOvertake).boxed().toList());
      overtaken.add(command);
      command = received();
    }
    assertThat(command.getCommandCase()).isEqualTo(CommandCase.REPLY);
    return command;
  }

  /** The next command. */
  ExchangeRequest next() {
    ExchangeRequest free = overtaken.poll();
    return free == null ? received() : free;
  }

  private ExchangeRequest received() {
    ExchangeRequest command;
    try {
      command = commands.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
    assertThat(command).as("the next command").isNotNull();
    return requireNonNull(command);
  }

  /** How many commands came that nobody has taken. */
  int waiting() {
    return commands.size() + overtaken.size();
  }

  /** Whether the client has asked for another event. */
  boolean isAskedForMore() {
    return events().isReady();
  }

  synchronized void send(ExchangeResponse event) {
    events().onNext(event);
  }

  /** What goes into an event. */
  interface Answer {
    ExchangeResponse.Builder put(ExchangeResponse.Builder event);
  }

  void answer(ExchangeRequest command, Answer answer) {
    send(answer.put(ExchangeResponse.newBuilder().setId(command.getId())).build());
  }

  void accept(ExchangeRequest command) {
    answer(command, event -> event.setAccepted(Accepted.getDefaultInstance()));
  }

  void reply(ExchangeRequest command, long offset, String text) {
    ByteString data = ByteString.copyFromUtf8(text);
    answer(
        command,
        event ->
            event.setReplied(
                Replied.newBuilder().setOffset(offset).setSize(data.size()).setData(data)));
  }

  void allocate(ExchangeRequest command, long offset) {
    answer(command, event -> event.setAllocated(Allocated.newBuilder().setOffset(offset)));
  }

  void fail(ExchangeRequest command, Status.Code code, ErrorReason reason, String message) {
    answer(
        command,
        event ->
            event.setFailed(
                Failed.newBuilder()
                    .setCode(code.value())
                    .setReason(dev.pagetide.v1.ErrorReason.valueOf("ERROR_REASON_" + reason.name()))
                    .setMessage(message)
                    .setRetryDelayMs(25)));
  }

  /** Transacts to the client: a buffer at {@code 16 * number}, with {@code text} in the message. */
  void transact(long number, boolean oneWay, String text) {
    ByteString data = ByteString.copyFromUtf8(text);
    transact(
        Transaction.newBuilder()
            .setTransaction(number)
            .setOffset(16 * number)
            .setSize(data.size())
            .setData(data)
            .setCode((int) number)
            .setFlags(oneWay ? TransactionFlag.TRANSACTION_FLAG_ONE_WAY_VALUE : 0)
            .setSender(TransactionSender.newBuilder().setName("asker").setUid(1000).setPid(42)));
  }

  void transact(Transaction.Builder transaction) {
    send(ExchangeResponse.newBuilder().setTransaction(transaction).build());
  }

  void endTransaction(long number) {
    send(
        ExchangeResponse.newBuilder()
            .setTransactionEnded(TransactionEnded.newBuilder().setTransaction(number))
            .build());
  }

  void endExchange(Throwable failure) {
    events().onError(failure);
  }

  /** Breaks every connection, as the death of a server process does. */
  void die() {
    server.shutdownNow();
  }

  @Override
  public void close() {
    server.shutdownNow();
    sessions.close();
  }

  /** A range's file, as a server makes it, mapped as a client does. */
  static final class Mapped {
    final SharedPages pages;
    final SessionTicket ticket;

    Mapped(Path path, Opened opened, boolean keepFile) throws IOException {
      SharedFileLayout layout = SharedFileLayout.of(opened.getPageSize(), opened.getPageCount());
      Epoll.ensureAvailability(); // loads what the next line calls
      FileDescriptor file = FileDescriptor.from(path.toString());
      try (FileChannel channel =
              FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
          Arena arena = Arena.ofConfined()) {
        new SharedFileHeader(
                channel.map(FileChannel.MapMode.READ_WRITE, 0, layout.sizeBytes(), arena))
            .writeOnce(layout, opened.getRangeId(), opened.getServerInstance());
      }
      pages = new SharedPages(MappedFile.map(file, opened, keepFile));
      ticket =
          new SessionTicket(
              opened.getSession(),
              opened.getRangeId(),
              opened.getPageSize(),
              opened.getPageCount(),
              opened.getMaxDataBytes(),
              opened.getServerInstance());
    }
  }
}
