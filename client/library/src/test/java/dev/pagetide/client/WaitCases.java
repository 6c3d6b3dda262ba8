package dev.pagetide.client;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A call of each public method that waits, on objects of a server in a process of its own.
 *
 * <p>What opens or stages something maps its files, so there is something to leak; what works on
 * pages does it by calls, so there is an answer to wait for.
 */
final class WaitCases implements AutoCloseable {

  /** More than a message carries, so it is read by a call where the file is not mapped. */
  private static final int LARGE_BYTES = 3 << 20;

  private static final ClientOptions REMOTE = ClientOptions.DEFAULT.withAccess(AccessMode.REMOTE);
  private static final ClientOptions SHARED = ClientOptions.DEFAULT.withAccess(AccessMode.SHARED);
  private static final Target STORE = Target.named("store");
  private static final int KEEP = 1;
  private static final int REPLY_LARGE = 2;
  private static final int REPLY_SMALL = 3;

  /** A call, which returns what it has opened, if anything. */
  interface Call {
    @Nullable Object call() throws Exception;
  }

  final ServerProcess server;
  final PagetideClient remote;
  final PagetideClient shared;

  /** Pages 0 to 7 are USED, 8 to 11 belong to scopes, and 12 to 15 are free. */
  final PageRange range;

  private final UsedPages scope;
  private final UsedPages otherScope;
  private final PageCache<String> cache;
  private final Sender sender;
  private final Sender remoteSender;
  private final AtomicInteger keys = new AtomicInteger();
  private final CompletableFuture<ReceivedTransaction> keptLarge = new CompletableFuture<>();
  private final CompletableFuture<ReceivedTransaction> keptTwoWay = new CompletableFuture<>();
  private final CompletableFuture<Receiver> largeReceiver = new CompletableFuture<>();
  private final ReceivedTransaction received;
  private final ReceivedTransaction waitedFor;
  private final Reply reply;
  private final Map<String, Call> calls = new LinkedHashMap<>();

  WaitCases() throws IOException {
    server = ServerProcess.start("--http", "127.0.0.1:0", "--max-range-bytes", "64MiB");
    remote = PagetideClient.connect(server.directory(), REMOTE);
    shared = PagetideClient.connect(server.directory(), SHARED);
    range = remote.open(OpenOptions.ofSize(16 * 4096));
    range.useRange(0, 8);
    scope = range.use(8, 10);
    otherScope = range.use(10, 12);
    cache = PageCache.over(shared.open(OpenOptions.ofSize(64 * 4096)), 1);
    remote.openReceiver(ReceiverOptions.named("store").withSizeBytes(16 << 20), this::handle);
    sender = shared.openSender(SenderOptions.DEFAULT.withSizeBytes(16 << 20));
    remoteSender = remote.openSender(SenderOptions.DEFAULT.withSizeBytes(16 << 20));
    try (StagedBuffer staged = sender.stage(LARGE_BYTES)) {
      sender.send(STORE, KEEP, Payload.of(staged));
    }
    received = join(keptLarge);
    var _ = sender.askAsync(STORE, KEEP, Payload.NONE);
    waitedFor = join(keptTwoWay);
    largeReceiver.complete(
        shared.openReceiver(
            ReceiverOptions.named("large").withSizeBytes(16 << 20), this::replyLarge));
    reply = remoteSender.ask(Target.named("large"), REPLY_LARGE, Payload.NONE);
    pages();
    scopes();
    sessions();
    transactions();
  }

  private static <T> T join(CompletableFuture<T> future) {
    await().until(future::isDone);
    return future.join();
  }

  private void handle(ReceivedTransaction transaction) {
    if (transaction.code() == KEEP) {
      transaction.keep();
      (transaction.isOneWay() ? keptLarge : keptTwoWay).complete(transaction);
    } else if (!transaction.isOneWay()) {
      transaction.reply(Payload.NONE);
    }
  }

  private void replyLarge(ReceivedTransaction transaction) {
    try (StagedBuffer staged = largeReceiver.join().sender().stage(LARGE_BYTES)) {
      transaction.reply(Payload.of(staged));
    }
  }

  private void pages() {
    calls.put("PageRange.use(int,int)", () -> range.use(12, 14));
    calls.put("PageRange.useRange(int,int)", () -> range.useRange(0, 2));
    calls.put("PageRange.useRange(List)", () -> range.useRange(List.of(new PageInterval(0, 2))));
    calls.put("PageRange.stopUsingRange(int,int)", () -> done(() -> range.stopUsingRange(6, 7)));
    calls.put(
        "PageRange.stopUsingRange(List)",
        () -> done(() -> range.stopUsingRange(List.of(new PageInterval(7, 8)))));
    calls.put("PageRange.read(long,int)", () -> range.read(0, 16));
    calls.put(
        "PageRange.read(long,ByteBuffer)", () -> done(() -> range.read(0, ByteBuffer.allocate(9))));
    calls.put("PageRange.write(long,byte[])", () -> done(() -> range.write(0, new byte[9])));
    calls.put(
        "PageRange.write(long,ByteBuffer)",
        () -> done(() -> range.write(0, ByteBuffer.allocate(9))));
    calls.put("PageRange.fillZero(long,long)", () -> done(() -> range.fillZero(0, 9)));
    calls.put("PageRange.describe()", range::describe);
    calls.put("ShrinkerClient.count(long)", () -> remote.shrinker().count(range.rangeId()));
    calls.put("ShrinkerClient.memory()", () -> remote.shrinker().memory());
    calls.put(
        "ShrinkerClient.scan(long,long,boolean)",
        () -> remote.shrinker().scan(1, range.rangeId(), true));
    calls.put("ShrinkerClient.listRanges()", () -> remote.shrinker().listRanges());
  }

  private void scopes() {
    calls.put("UsedPages.read(long,ByteBuffer)", () -> done(() -> scope.read(0, buffer())));
    calls.put("UsedPages.read(long,int)", () -> scope.read(0, 9));
    calls.put("UsedPages.write(long,ByteBuffer)", () -> done(() -> scope.write(0, buffer())));
    calls.put("UsedPages.write(long,byte[])", () -> done(() -> scope.write(0, new byte[9])));
    calls.put("UsedPages.fillZero(long,long)", () -> done(() -> scope.fillZero(0, 9)));
    calls.put(
        "UsedPages.copyTo(long,UsedPages,long,int)",
        () -> done(() -> scope.copyTo(0, otherScope, 0, 9)));
    calls.put(
        "PageCache.get(Object,TileLoader)",
        () -> cache.get("key" + keys.incrementAndGet(), (key, bytes) -> fill(bytes)));
  }

  private static ByteBuffer buffer() {
    return ByteBuffer.allocate(9);
  }

  private static void fill(MemorySegment bytes) {
    bytes.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
  }

  private void sessions() {
    calls.put("PagetideClient.open(OpenOptions)", () -> shared.open(OpenOptions.ofSize(4096)));
    calls.put(
        "PagetideClient.openReceiver(ReceiverOptions,TransactionHandler)",
        () -> shared.openReceiver(ReceiverOptions.named("new"), transaction -> {}));
    calls.put(
        "PagetideClient.openSender(SenderOptions)", () -> shared.openSender(SenderOptions.DEFAULT));
    calls.put("PagetideClient.connectTcp(String)", () -> PagetideClient.connectTcp("127.0.0.1:1"));
    calls.put(
        "PagetideClient.connectTcp(String,ClientOptions)",
        () -> PagetideClient.connectTcp("127.0.0.1:1", REMOTE));
  }

  private void transactions() {
    Payload bytes = Payload.of(new byte[9]);
    calls.put("Sender.ask(Target,int,Payload)", () -> sender.ask(STORE, REPLY_SMALL, bytes));
    calls.put(
        "Sender.ask(Target,int,Payload,AskOptions)",
        () -> sender.ask(STORE, REPLY_SMALL, bytes, AskOptions.DEFAULT));
    calls.put("Sender.send(Target,int,Payload)", () -> sender.send(STORE, REPLY_SMALL, bytes));
    calls.put(
        "Sender.send(Target,int,Payload,SendOptions)",
        () -> sender.send(STORE, REPLY_SMALL, bytes, SendOptions.DEFAULT));
    calls.put("Sender.stage(long)", () -> sender.stage(4096));
    calls.put("Sender.stage(long,boolean)", () -> sender.stage(4096, true));
    calls.put("Reply.data()", reply::data);
    calls.put("ReceivedTransaction.data()", received::data);
  }

  private static @Nullable Object done(Runnable call) {
    call.run();
    return null;
  }

  /** The calls that wait for an answer, by the signatures of their methods. */
  Map<String, Call> calls() {
    return calls;
  }

  /** A two-way transaction that nobody has answered yet. */
  ReceivedTransaction waitedFor() {
    return waitedFor;
  }

  /** What the server holds for its clients: live sessions and buffers. */
  String held() throws IOException {
    int sessions = remote.shrinker().listRanges().size();
    List<String> buffers =
        server
            .metrics()
            .lines()
            .filter(line -> line.startsWith("pagetide_buffers{"))
            .sorted()
            .toList();
    return "sessions=" + sessions + " " + buffers;
  }

  @Override
  public void close() throws IOException {
    remote.close();
    shared.close();
    server.close();
  }
}
