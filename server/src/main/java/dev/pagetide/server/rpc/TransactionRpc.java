package dev.pagetide.server.rpc;

import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.server.transaction.Parties;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;

/** TransactionService over sessions and their parties: one {@link ExchangeStream} a call. */
final class TransactionRpc extends TransactionServiceGrpc.TransactionServiceImplBase {
  private final SessionRegistry sessions;
  private final Parties parties;
  private final int maxDataBytes;

  TransactionRpc(SessionRegistry sessions, Parties parties, int maxDataBytes) {
    this.sessions = sessions;
    this.parties = parties;
    this.maxDataBytes = maxDataBytes;
  }

  @Override
  public StreamObserver<ExchangeRequest> exchange(StreamObserver<ExchangeResponse> observer) {
    return new ExchangeStream(
        sessions,
        parties,
        maxDataBytes,
        PeerNegotiator.caller(),
        InFlight.ticket(),
        (ServerCallStreamObserver<ExchangeResponse>) observer);
  }
}
