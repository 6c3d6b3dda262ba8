package dev.pagetide.server.rpc;

import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.server.transaction.EndpointRegistry;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;

/** TransactionService over sessions and endpoints: one {@link ExchangeStream} for each call. */
final class TransactionRpc extends TransactionServiceGrpc.TransactionServiceImplBase {
  private final SessionRegistry sessions;
  private final EndpointRegistry endpoints;
  private final int maxDataBytes;

  TransactionRpc(SessionRegistry sessions, EndpointRegistry endpoints, int maxDataBytes) {
    this.sessions = sessions;
    this.endpoints = endpoints;
    this.maxDataBytes = maxDataBytes;
  }

  @Override
  public StreamObserver<ExchangeRequest> exchange(StreamObserver<ExchangeResponse> observer) {
    return new ExchangeStream(
        sessions,
        endpoints,
        maxDataBytes,
        PeerNegotiator.caller(),
        InFlight.ticket(),
        ArrivingMessage.current(),
        (ServerCallStreamObserver<ExchangeResponse>) observer);
  }
}
