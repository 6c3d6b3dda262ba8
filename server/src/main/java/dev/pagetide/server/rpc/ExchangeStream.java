package dev.pagetide.server.rpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import com.google.rpc.Code;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.server.transaction.Endpoint;
import dev.pagetide.server.transaction.EndpointRegistry;
import dev.pagetide.server.transaction.Event;
import dev.pagetide.server.transaction.EventSink;
import dev.pagetide.server.transaction.Payload;
import dev.pagetide.server.transaction.TransactionFailure;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.v1.Attach;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One Exchange: reads commands from the stream as fast as the endpoint carries them out, and writes
 * events as fast as the client reads them.
 */
/*
 * Messages come one at a time. We ask for the next only while the queue of waiting commands is
 * short and the client reads its events. So frees can overtake commands that wait for memory, and
 * neither a flood of commands nor a client that reads nothing costs more than a few commands.
 */
final class ExchangeStream implements StreamObserver<ExchangeRequest>, EventSink {
  /** Commands that we take while an earlier one waits for memory, so that frees get through. */
  private static final int MAX_WAITING_COMMANDS = 64;

  /** Bytes of memory that those may hold, besides the last message's. */
  private static final int MAX_WAITING_BYTES = 64 * 1024;

  /** Most bytes of the events' data in one message, without the last event's. */
  private static final int MAX_EVENTS_BYTES = 64 * 1024;

  /** Events that may wait for an endpoint before we stop taking its commands. */
  private static final int MAX_WAITING_EVENTS = 1024;

  /** Bytes of memory that the answers among those may hold. */
  private static final int MAX_WAITING_ANSWERS_BYTES = 256 * 1024;

  /** Bytes of unread answers that do not count: about a session's own size. */
  private static final int UNCOUNTED_ANSWERS_BYTES = 4096;

  /** Memory that a command holds while it waits, besides its payload and its text. */
  private static final int COMMAND_BYTES = 256;

  private final SessionRegistry sessions;
  private final EndpointRegistry endpoints;
  private final int maxDataBytes;
  private final Peer caller;
  private final InFlight.Ticket ticket;
  private final ArrivingMessage arriving;
  private final ServerCallStreamObserver<ExchangeResponse> call;
  private final SerialQueue queue = new SerialQueue(this::count, this::commandIsOver, this::refuse);

  /** Whether we have not asked for the next message. */
  private final AtomicBoolean stalled = new AtomicBoolean();

  private final AtomicBoolean over = new AtomicBoolean();
  private volatile @Nullable Endpoint endpoint;
  private volatile boolean deliversData;
  private volatile @Nullable Session session;

  /** Bytes of unread answers that count as in flight. Used by one thread at a time. */
  private long unreadBytes;

  /** Offsets that the commands of the current message have freed so far. */
  private int freedOffsets;

  /** Events that were added and not flushed yet. Used by one thread at a time. */
  private ExchangeResponse.@Nullable Builder batch;

  private long batchBytes;

  ExchangeStream(
      SessionRegistry sessions,
      EndpointRegistry endpoints,
      int maxDataBytes,
      Peer caller,
      InFlight.Ticket ticket,
      ArrivingMessage arriving,
      ServerCallStreamObserver<ExchangeResponse> call) {
    this.sessions = sessions;
    this.endpoints = endpoints;
    this.maxDataBytes = maxDataBytes;
    this.caller = caller;
    this.ticket = ticket;
    this.arriving = arriving;
    this.call = call;
    call.disableAutoRequest();
    call.setOnReadyHandler(this::ready);
    call.setOnCancelHandler(this::gone);
    call.setOnCloseHandler(this::gone);
    call.request(1);
  }

  @Override
  public void onNext(ExchangeRequest request) {
    if (over.get()) {
      return;
    }
    freedOffsets = 0;
    take(request);
    if (request.getAlsoCount() > ContractLimits.MAX_FURTHER_COMMANDS) {
      refuse(request.getId(), tooManyCommands(request.getAlsoCount()));
    } else {
      request.getAlsoList().forEach(this::take);
    }
    stalled.set(true);
    countUnread();
    takeMore();
  }

  private void take(ExchangeRequest request) {
    try {
      Endpoint attached = endpoint;
      if (attached == null) {
        attach(request);
      } else {
        command(attached, request);
      }
    } catch (RuntimeException | Error e) {
      refuse(request.getId(), e);
    }
  }

  /** Answers a command with its failure. Before there is an endpoint, the stream fails instead. */
  private void refuse(long id, Throwable why) {
    Endpoint attached = endpoint;
    if (attached == null) {
      end(why);
    } else {
      attached.refuse(id, why);
    }
  }

  private static StatusRuntimeException tooManyCommands(int count) {
    return StatusMapper.status(
        Code.INVALID_ARGUMENT,
        ErrorReason.ERROR_REASON_TOO_MANY_SPANS,
        String.format(
            Locale.ROOT,
            "%d further commands in one message; send at most %d",
            count,
            ContractLimits.MAX_FURTHER_COMMANDS));
  }

  /** Asks for the next message, if there is room again. */
  private void takeMore() {
    Endpoint attached = endpoint;
    if (attached == null || over.get()) {
      return;
    }
    boolean room =
        queue.waiting() < MAX_WAITING_COMMANDS
            && queue.waitingBytes() <= MAX_WAITING_BYTES
            && (call.isReady() || hasRoomForEvents(attached));
    if (room && stalled.compareAndSet(true, false)) {
      call.request(1);
    }
  }

  private static boolean hasRoomForEvents(Endpoint attached) {
    return attached.waitingEvents() < MAX_WAITING_EVENTS
        && attached.waitingAnswersBytes() < MAX_WAITING_ANSWERS_BYTES;
  }

  /**
   * Counts the answers that wait because the client does not read. If they may not count, the
   * stream ends, because an answer cannot be refused.
   */
  private void countUnread() {
    Endpoint attached = endpoint;
    if (attached == null || (unreadBytes == 0 && call.isReady())) {
      return;
    }
    long waiting = call.isReady() ? 0 : attached.waitingAnswersBytes();
    long counted = waiting > UNCOUNTED_ANSWERS_BYTES ? waiting : 0;
    try {
      if (counted > unreadBytes) {
        ticket.hold(counted - unreadBytes);
      } else {
        ticket.release(unreadBytes - counted);
      }
      unreadBytes = counted;
    } catch (StatusRuntimeException e) {
      attached.end(e);
    }
  }

  private void ready() {
    Endpoint attached = endpoint;
    if (attached != null) {
      attached.drain();
      countUnread();
      takeMore();
    }
  }

  private void attach(ExchangeRequest request) {
    if (!request.hasAttach()) {
      throw StatusMapper.status(
          Code.FAILED_PRECONDITION,
          ErrorReason.ERROR_REASON_NOT_ATTACHED,
          "the first command of an Exchange is attach; send that before "
              + request.getCommandCase());
    }
    Attach attach = request.getAttach();
    Session found = sessions.find(attach.getSession(), caller);
    session = found;
    deliversData = attach.getDeliverData();
    Endpoint attached =
        endpoints.attach(request.getId(), found, caller, attach.getReceives(), this);
    endpoint = attached;
    ticket.becomeSession();
    arriving.begin(ticket, attached::end);
  }

  private void command(Endpoint attached, ExchangeRequest request) {
    long id = request.getId();
    switch (request.getCommandCase()) {
      case ATTACH -> throw new TransactionFailure.AlreadyAttached();
      case ALLOCATE -> {
        long size = ExchangeMessages.size(request.getAllocate().getSize());
        boolean clear = request.getAllocate().getClearOnFree();
        queue.submit(id, COMMAND_BYTES, next -> attached.allocate(id, size, clear, next));
      }
      case TRANSACT -> {
        var outgoing = ExchangeMessages.request(request.getTransact(), caller, endpoints.nanos());
        Payload payload =
            ExchangeMessages.payload(request.getTransact().getPayload(), maxDataBytes);
        SerialQueue.Command transact = next -> attached.transact(id, outgoing, payload, next);
        long bytes = bytes(payload, outgoing.target());
        if (outgoing.oneWay()) {
          queue.submit(id, bytes, transact);
        } else {
          queue.submitCancellable(id, bytes, transact);
        }
      }
      case REPLY -> {
        long transaction = request.getReply().getTransaction();
        String refusal = ExchangeMessages.refusal(request.getReply());
        Payload payload = ExchangeMessages.payload(request.getReply().getPayload(), maxDataBytes);
        queue.submit(
            id,
            bytes(payload, refusal),
            next -> attached.reply(id, transaction, payload, refusal, next));
      }
      case FREE_BUFFERS -> {
        List<Long> offsets = ExchangeMessages.offsets(request.getFreeBuffers(), freedOffsets);
        freedOffsets += offsets.size();
        attached.free(id, offsets);
      }
      case CANCEL -> {
        long asked = request.getCancel().getCommand();
        // Only two-way transactions: other waiting commands may have the same id, such as 0.
        if (queue.remove(asked)) {
          attached.refuse(asked, new TransactionFailure.Cancelled());
        }
        attached.cancel(id, asked);
      }
      case COMMAND_NOT_SET ->
          throw StatusMapper.status(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_MALFORMED_MESSAGE,
              "no command that this server knows; send one of the contract's");
    }
  }

  /**
   * The memory that a command holds while it waits. The parser gave its payload and its text arrays
   * of their own, so the rest of its message is not kept with them.
   */
  private static long bytes(Payload payload, String text) {
    long data = payload instanceof Payload.Bytes ? payload.length() : 0;
    return COMMAND_BYTES + data + 2L * text.length();
  }

  /** Counts a command as in flight, or throws the reason why it may not count. */
  private void count(long bytes) {
    ticket.hold(bytes);
  }

  private void commandIsOver(long counted) {
    if (counted > 0) {
      ticket.release(counted);
    }
    takeMore();
  }

  @Override
  public void onError(Throwable t) {
    gone();
  }

  @Override
  public void onCompleted() {
    boolean first = over.compareAndSet(false, true);
    gone();
    if (first) {
      call.onCompleted();
    }
  }

  /** The client has ended the stream, exited, or was killed; or we have ended it. */
  private void gone() {
    queue.clear();
    ticket.release(unreadBytes);
    unreadBytes = 0;
    Endpoint attached = endpoint;
    if (attached != null) {
      attached.end(new PageFailure.Closed());
    } else {
      over.set(true);
    }
  }

  @Override
  public boolean isReady() {
    return call.isReady();
  }

  @Override
  public boolean add(Event event) {
    if (over.get()) {
      return true;
    }
    ExchangeResponse.Builder added = ExchangeMessages.response(event, this::read);
    batchBytes += ExchangeMessages.dataBytes(added);
    ExchangeResponse.Builder all = batch;
    if (all == null) {
      batch = added;
      return batchBytes >= MAX_EVENTS_BYTES;
    }
    all.addAlso(added);
    return batchBytes >= MAX_EVENTS_BYTES
        || all.getAlsoCount() >= ContractLimits.MAX_FURTHER_EVENTS;
  }

  @Override
  public void flush() {
    ExchangeResponse.Builder all = batch;
    if (all != null && !over.get()) {
      call.onNext(all.build());
    }
    batch = null;
    batchBytes = 0;
  }

  /**
   * The bytes of a buffer, for a client that has not mapped its range; empty if the event is to
   * carry none.
   */
  private ByteString read(long offset, long size) {
    Session own = session;
    if (!deliversData || own == null || size == 0 || size > maxDataBytes) {
      return ByteString.EMPTY;
    }
    byte[] data = new byte[(int) size];
    try {
      own.range().read(offset, ByteBuffer.wrap(data));
    } catch (PageFailure e) {
      return ByteString.EMPTY; // the range is closing, and so is the stream
    }
    return UnsafeByteOperations.unsafeWrap(data);
  }

  @Override
  public void end(Throwable why) {
    if (over.compareAndSet(false, true) && !call.isCancelled()) {
      StatusRuntimeException status = StatusMapper.of(why);
      try {
        call.onError(status);
      } catch (IllegalStateException e) {
        // gRPC has closed the call itself, because an Error met it while it sent a message.
      }
    }
  }
}
