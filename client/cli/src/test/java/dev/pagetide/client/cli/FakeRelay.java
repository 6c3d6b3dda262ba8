package dev.pagetide.client.cli;

import com.google.protobuf.ByteString;
import dev.pagetide.v1.Accepted;
import dev.pagetide.v1.Attached;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Failed;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.Replied;
import dev.pagetide.v1.Reply;
import dev.pagetide.v1.Transact;
import dev.pagetide.v1.Transaction;
import dev.pagetide.v1.TransactionFlag;
import dev.pagetide.v1.TransactionSender;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;

/**
 * A server on a TCP port that passes transactions on by message, and does nothing else: for the
 * command line, where there is no server of transactions at hand.
 */
final class FakeRelay extends TransactionServiceGrpc.TransactionServiceImplBase
    implements AutoCloseable {

  private final Server server;
  private final Map<String, Endpoint> receivers = new HashMap<>();
  private final Map<Long, Asked> asked = new HashMap<>();
  private long transactions;

  /** An attached session, which has its name as its token. */
  private record Endpoint(String name, StreamObserver<ExchangeResponse> events) {
    void send(ExchangeResponse.Builder event) {
      synchronized (events) {
        events.onNext(event.build());
      }
    }
  }

  /** A two-way transaction that waits for its reply. */
  private record Asked(Endpoint asker, long command) {}

  FakeRelay() throws IOException {
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .addService(this)
            .addService(new Sessions())
            .build()
            .start();
  }

  /** What {@code --connect} takes. */
  String address() {
    return "127.0.0.1:" + server.getPort();
  }

  /** Whether somebody receives as {@code name}. */
  synchronized boolean hasReceiver(String name) {
    return receivers.containsKey(name);
  }

  private static final class Sessions extends PageRangeServiceGrpc.PageRangeServiceImplBase {
    @Override
    public void openRange(OpenRangeRequest request, StreamObserver<OpenRangeResponse> responses) {
      responses.onNext(
          OpenRangeResponse.newBuilder()
              .setOpened(
                  Opened.newBuilder()
                      .setSession(request.getName())
                      .setRangeId(1)
                      .setPageSize(4096)
                      .setPageCount((int) (request.getSizeBytes() / 4096))
                      .setMaxDataBytes(1 << 20)
                      .setServerInstance(1))
              .build());
    }
  }

  @Override
  public StreamObserver<ExchangeRequest> exchange(StreamObserver<ExchangeResponse> events) {
    return new StreamObserver<>() {
      private Endpoint endpoint = new Endpoint("", events);

      @Override
      public void onNext(ExchangeRequest message) {
        take(message);
        message.getAlsoList().forEach(this::take);
      }

      private void take(ExchangeRequest command) {
        synchronized (FakeRelay.this) {
          switch (command.getCommandCase()) {
            case ATTACH -> {
              endpoint = new Endpoint(command.getAttach().getSession(), events);
              if (command.getAttach().getReceives()) {
                receivers.put(endpoint.name(), endpoint);
              }
              endpoint.send(answer(command).setAttached(Attached.getDefaultInstance()));
            }
            case TRANSACT -> transact(endpoint, command);
            case REPLY -> reply(endpoint, command);
            default -> {
              // Nothing is kept here that could be freed.
            }
          }
        }
      }

      @Override
      public void onError(Throwable t) {
        synchronized (FakeRelay.this) {
          receivers.remove(endpoint.name(), endpoint);
        }
      }

      @Override
      public void onCompleted() {}
    };
  }

  private static ExchangeResponse.Builder answer(ExchangeRequest command) {
    return ExchangeResponse.newBuilder().setId(command.getId());
  }

  private void transact(Endpoint sender, ExchangeRequest command) {
    Transact transact = command.getTransact();
    Endpoint receiver = receivers.get(transact.getTarget());
    if (receiver == null) {
      sender.send(
          answer(command)
              .setFailed(
                  failed(
                      Status.Code.FAILED_PRECONDITION,
                      ErrorReason.ERROR_REASON_TARGET_DIED,
                      "nobody receives as " + transact.getTarget())));
      return;
    }
    transactions++;
    ByteString data = transact.getPayload().getData();
    receiver.send(
        ExchangeResponse.newBuilder()
            .setTransaction(
                Transaction.newBuilder()
                    .setTransaction(transactions)
                    .setOffset(8 * transactions)
                    .setSize(data.size())
                    .setData(data)
                    .setCode(transact.getCode())
                    .setFlags(transact.getFlags())
                    .setSender(
                        TransactionSender.newBuilder()
                            .setName("\u001b[31m" + sender.name())
                            .setPid(42))));
    if ((transact.getFlags() & TransactionFlag.TRANSACTION_FLAG_ONE_WAY_VALUE) == 0) {
      asked.put(transactions, new Asked(sender, command.getId()));
    } else {
      sender.send(answer(command).setAccepted(Accepted.getDefaultInstance()));
    }
  }

  private void reply(Endpoint receiver, ExchangeRequest command) {
    Reply reply = command.getReply();
    Asked waiting = asked.remove(reply.getTransaction());
    if (waiting == null) {
      return;
    }
    ExchangeResponse.Builder event = ExchangeResponse.newBuilder().setId(waiting.command());
    if (reply.getRefusal().isEmpty()) {
      ByteString data = reply.getPayload().getData();
      event.setReplied(Replied.newBuilder().setOffset(0).setSize(data.size()).setData(data));
    } else {
      event.setFailed(
          failed(
              Status.Code.ABORTED,
              ErrorReason.ERROR_REASON_REFUSED_BY_RECEIVER,
              reply.getRefusal()));
    }
    waiting.asker().send(event);
    receiver.send(answer(command).setAccepted(Accepted.getDefaultInstance()));
  }

  private static Failed.Builder failed(Status.Code code, ErrorReason reason, String message) {
    return Failed.newBuilder().setCode(code.value()).setReason(reason).setMessage(message);
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
