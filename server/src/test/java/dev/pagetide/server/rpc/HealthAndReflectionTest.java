package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The services that tools expect of any gRPC server. */
@WithServer
final class HealthAndReflectionTest {
  @SuppressWarnings("NullAway.Init")
  private static TestServer server;

  @SuppressWarnings("NullAway.Init")
  private static ManagedChannel channel;

  @BeforeAll
  static void startServer(TestServer started) {
    server = started;
    channel = server.connect();
  }

  @Test
  void healthCheck_servingServer_saysSoOfEachService() {
    for (String service :
        List.of("", PageRangeServiceGrpc.SERVICE_NAME, ShrinkerServiceGrpc.SERVICE_NAME)) {
      assertThat(health(service)).isEqualTo(ServingStatus.SERVING);
    }
  }

  @Test
  void healthCheck_unknownService_isNotFound() {
    assertThat(Refusal.of(() -> health("pagetide.v1.Nothing")).code()).isEqualTo(Code.NOT_FOUND);
  }

  private static ServingStatus health(String service) {
    return HealthGrpc.newBlockingStub(channel)
        .withDeadlineAfter(30, TimeUnit.SECONDS)
        .check(HealthCheckRequest.newBuilder().setService(service).build())
        .getStatus();
  }

  @Test
  void reflection_anyClient_findsTheContract() throws Exception {
    ServerReflectionResponse services =
        reflect(ServerReflectionRequest.newBuilder().setListServices("").build());
    ServerReflectionResponse file =
        reflect(
            ServerReflectionRequest.newBuilder()
                .setFileContainingSymbol("pagetide.v1.PageRangeService.UseRange")
                .build());

    assertThat(services.getListServicesResponse().getServiceList())
        .extracting(service -> service.getName())
        .contains(
            PageRangeServiceGrpc.SERVICE_NAME,
            ShrinkerServiceGrpc.SERVICE_NAME,
            HealthGrpc.SERVICE_NAME);
    assertThat(file.getFileDescriptorResponse().getFileDescriptorProtoList()).isNotEmpty();
  }

  private static ServerReflectionResponse reflect(ServerReflectionRequest request)
      throws Exception {
    CompletableFuture<List<ServerReflectionResponse>> answers = new CompletableFuture<>();
    List<ServerReflectionResponse> received = new ArrayList<>();
    StreamObserver<ServerReflectionRequest> requests =
        ServerReflectionGrpc.newStub(channel)
            .serverReflectionInfo(
                new StreamObserver<>() {
                  @Override
                  public void onNext(ServerReflectionResponse answer) {
                    received.add(answer);
                  }

                  @Override
                  public void onError(Throwable thrown) {
                    answers.completeExceptionally(thrown);
                  }

                  @Override
                  public void onCompleted() {
                    answers.complete(received);
                  }
                });
    requests.onNext(request);
    requests.onCompleted();
    return answers.get(30, TimeUnit.SECONDS).getFirst();
  }
}
