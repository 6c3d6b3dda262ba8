package dev.pagetide.server.rpc;

import com.google.protobuf.ByteString;
import com.google.rpc.Code;
import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.transaction.Event;
import dev.pagetide.server.transaction.Payload;
import dev.pagetide.server.transaction.TransactRequest;
import dev.pagetide.server.transaction.Transaction;
import dev.pagetide.server.transaction.TransactionFailure;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.v1.Accepted;
import dev.pagetide.v1.Allocated;
import dev.pagetide.v1.Attached;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Failed;
import dev.pagetide.v1.FreeBuffers;
import dev.pagetide.v1.Replied;
import dev.pagetide.v1.Reply;
import dev.pagetide.v1.Slice;
import dev.pagetide.v1.Transact;
import dev.pagetide.v1.TransactionEnded;
import dev.pagetide.v1.TransactionFlag;
import dev.pagetide.v1.TransactionSender;
import java.util.List;
import java.util.Locale;

/** Translates between the messages of an Exchange and the types of the packages below. */
final class ExchangeMessages {
  private static final int FLAGS =
      TransactionFlag.TRANSACTION_FLAG_ONE_WAY_VALUE
          | TransactionFlag.TRANSACTION_FLAG_CLEAR_ON_FREE_VALUE;

  private static final Accepted ACCEPTED = Accepted.getDefaultInstance();
  private static final Accepted SPAM = Accepted.newBuilder().setOneWaySpam(true).build();

  private ExchangeMessages() {}

  /** Reads the bytes of a buffer, for clients that have not mapped their range. */
  @FunctionalInterface
  interface Bytes {
    ByteString of(long offset, long size);
  }

  static TransactRequest request(Transact transact, Peer caller, long now) {
    int flags = transact.getFlags();
    if ((flags & ~FLAGS) != 0) {
      throw new TransactionFailure.Invalid(
          String.format(
              Locale.ROOT,
              "flags=%#x holds bits that are no TransactionFlag; known ones are %#x",
              flags,
              FLAGS));
    }
    return new TransactRequest(
        target(transact.getTarget()),
        transact.hasTargetUid() ? transact.getTargetUid() : caller.uid(),
        transact.getCode(),
        flags,
        (flags & TransactionFlag.TRANSACTION_FLAG_ONE_WAY_VALUE) != 0,
        (flags & TransactionFlag.TRANSACTION_FLAG_CLEAR_ON_FREE_VALUE) != 0,
        length(transact.getPayload()),
        Integer.toUnsignedLong(transact.getTimeoutMs()),
        now);
  }

  /**
   * The receiver's name. A name that is longer than any session's is cut; what is left is still no
   * session's name. So the text that waits with a command, or answers it, has a bound.
   */
  private static String target(String name) {
    int most = ContractLimits.MAX_NAME_BYTES;
    if (name.length() <= most) {
      return name;
    }
    // Half of a character would have the encoder complain, with a stack trace each time.
    int end = Character.isHighSurrogate(name.charAt(most - 1)) ? most - 1 : most;
    return name.substring(0, end) + "...";
  }

  private static long length(dev.pagetide.v1.Payload payload) {
    return payload.hasSlice() ? size(payload.getSlice().getLength()) : payload.getData().size();
  }

  /**
   * A size of a message, which is unsigned there. What exceeds the largest signed number becomes
   * that number, because no range is as large.
   */
  static long size(long unsigned) {
    return unsigned < 0 ? Long.MAX_VALUE : unsigned;
  }

  static Payload payload(dev.pagetide.v1.Payload payload, int maxDataBytes) {
    return switch (payload.getSourceCase()) {
      case SLICE ->
          new Payload.Slice(payload.getSlice().getOffset(), size(payload.getSlice().getLength()));
      case DATA -> {
        PageMessages.dataLength(payload.getData().size(), maxDataBytes);
        yield new Payload.Bytes(payload.getData().asReadOnlyByteBuffer());
      }
      case SOURCE_NOT_SET -> Payload.NONE;
    };
  }

  static String refusal(Reply reply) {
    int bytes = reply.getRefusalBytes().size();
    if (bytes > ContractLimits.MAX_REFUSAL_BYTES) {
      throw StatusMapper.status(
          Code.RESOURCE_EXHAUSTED,
          ErrorReason.ERROR_REASON_TOO_MUCH_DATA,
          String.format(
              Locale.ROOT,
              "refusal is %d bytes, more than %d; say it in fewer",
              bytes,
              ContractLimits.MAX_REFUSAL_BYTES));
    }
    return reply.getRefusal();
  }

  /**
   * The offsets of a command.
   *
   * @param before how many offsets the same message's commands before it have
   */
  static List<Long> offsets(FreeBuffers free, int before) {
    if (free.getOffsetsCount() > ContractLimits.MAX_FREED_BUFFERS - before) {
      throw StatusMapper.status(
          Code.INVALID_ARGUMENT,
          ErrorReason.ERROR_REASON_TOO_MANY_SPANS,
          String.format(
              Locale.ROOT,
              "%d offsets in the FreeBuffers of one message, after %d in it before; send at most"
                  + " %d in one message",
              free.getOffsetsCount(),
              before,
              ContractLimits.MAX_FREED_BUFFERS));
    }
    return free.getOffsetsList();
  }

  private static Failed notFreed(Event.NotFreed event) {
    Failed.Builder failed = StatusMapper.failed(event.why()).toBuilder();
    if (event.of() > 1) {
      failed.setMessage(
          String.format(
              Locale.ROOT,
              "%d of %d buffers were not freed; the first of them: %s",
              event.count(),
              event.of(),
              failed.getMessage()));
    }
    return failed.setNotFreed(event.count()).setFirstNotFreed(event.firstOffset()).build();
  }

  /** The message for an event of an endpoint. */
  static ExchangeResponse.Builder response(Event event, Bytes bytes) {
    ExchangeResponse.Builder response = ExchangeResponse.newBuilder().setId(event.command());
    switch (event) {
      case Event.Attached e -> response.setAttached(attached(e));
      case Event.Allocated e -> response.setAllocated(Allocated.newBuilder().setOffset(e.offset()));
      case Event.Accepted e -> response.setAccepted(e.oneWaySpam() ? SPAM : ACCEPTED);
      case Event.Failed e -> response.setFailed(StatusMapper.failed(e.why()));
      case Event.NotFreed e -> response.setFailed(notFreed(e));
      case Event.Replied e ->
          response.setReplied(
              Replied.newBuilder()
                  .setOffset(e.offset())
                  .setSize(e.size())
                  .setData(bytes.of(e.offset(), e.size())));
      case Event.Delivered e -> response.setTransaction(transaction(e.transaction(), bytes));
      case Event.Ended e ->
          response.setTransactionEnded(
              TransactionEnded.newBuilder().setTransaction(e.transaction()));
    }
    return response;
  }

  /** How much data an event carries. */
  static int dataBytes(ExchangeResponse.Builder response) {
    return switch (response.getEventCase()) {
      case TRANSACTION -> response.getTransaction().getData().size();
      case REPLIED -> response.getReplied().getData().size();
      default -> 0;
    };
  }

  private static Attached attached(Event.Attached event) {
    Attached.Builder attached = Attached.newBuilder().setOneWayBytes(event.oneWayBytes());
    for (Buffer buffer : event.buffers()) {
      attached.addBuffers(Slice.newBuilder().setOffset(buffer.offset()).setLength(buffer.size()));
    }
    return attached.build();
  }

  private static dev.pagetide.v1.Transaction transaction(Transaction transaction, Bytes bytes) {
    Peer peer = transaction.sender();
    TransactionSender.Builder sender =
        TransactionSender.newBuilder().setName(transaction.senderName());
    if (peer.uid() != Peer.NO_UID) {
      sender.setUid(peer.uid());
    }
    if (peer.pid() != 0) {
      sender.setPid(peer.pid());
    }
    return dev.pagetide.v1.Transaction.newBuilder()
        .setTransaction(transaction.id())
        .setOffset(transaction.offset())
        .setSize(transaction.size())
        .setCode(transaction.code())
        .setFlags(transaction.request().flags())
        .setSender(sender)
        .setData(bytes.of(transaction.offset(), transaction.size()))
        .build();
  }
}
