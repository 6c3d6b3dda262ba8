package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.Failed;
import dev.pagetide.v1.FreeBuffers;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One message, however full, makes no more work and no more answers than its commands. */
@WithServer
final class HeavyMessageTest {
  private static final int PAGES = 16;
  private static final int COMMANDS = 1 + ContractLimits.MAX_FURTHER_COMMANDS;
  private static TestServer server;
  private ManagedChannel channel;
  private RawEndpoint alice;

  @BeforeAll
  static void startServer(TestServer started) {
    server = started;
  }

  @BeforeEach
  void openEndpoint() {
    channel = server.connect();
    alice = RawEndpoint.open(channel, "alice", PAGES);
  }

  @AfterEach
  void endEndpoint() {
    alice.session().cancel();
    server.awaitNoSessions();
  }

  private static ExchangeRequest free(long id, List<Long> offsets) {
    return ExchangeRequest.newBuilder()
        .setId(id)
        .setFreeBuffers(FreeBuffers.newBuilder().addAllOffsets(offsets))
        .build();
  }

  /** A message of so many commands that each free as many buffers as one may. */
  private static ExchangeRequest bomb(int commands, long firstId) {
    List<Long> offsets = Collections.nCopies(ContractLimits.MAX_FREED_BUFFERS, 1L);
    ExchangeRequest.Builder all = free(firstId, offsets).toBuilder();
    for (int i = 1; i < commands; i++) {
      all.addAlso(free(firstId + i, offsets));
    }
    return all.build();
  }

  @Test
  void free_someAreNoBuffers_oneAnswerNamesTheFirstAndTheOthersAreFreed() {
    long one = alice.allocate(4096);
    long two = alice.allocate(4096);
    long before = alice.answers();

    long freeing = alice.freeLater(one, 4L, two, 12L, 20L);

    Failed failed =
        alice.failed(
            freeing,
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_NOT_A_BUFFER,
            "3 of 5 buffers were not freed",
            "offset=4 ");
    assertThat(failed.getNotFreed()).isEqualTo(3);
    assertThat(failed.getFirstNotFreed()).isEqualTo(4);
    long next = alice.allocate(4096);
    assertThat(alice.answers() - before).as("one each").isEqualTo(2);
    assertThat(next).as("the space of the first").isEqualTo(one);
    alice.free(next);
    assertThat(alice.session().map()).doesNotContain("U");
  }

  @Test
  void free_withoutANumber_isAnsweredOnlyIfItFails() {
    long one = alice.allocate(8);
    long before = alice.answers();

    alice.send(free(0, List.of(one)));
    alice.send(free(0, List.of(one)));

    assertThat(alice.await(0).getFailed().getNotFreed()).isEqualTo(1);
    assertThat(alice.answers() - before).isEqualTo(1);
  }

  @Test
  void free_moreOffsetsInAMessageThanItMayHave_theCommandsBeyondAreRefused() {
    long live = alice.allocate(8);
    long before = alice.answers();
    long first = 1_000_000;

    alice.send(bomb(COMMANDS, first));

    assertThat(alice.await(first).getFailed().getNotFreed())
        .isEqualTo(ContractLimits.MAX_FREED_BUFFERS);
    for (int i = 1; i < COMMANDS; i++) {
      Failed failed =
          alice.failed(
              first + i,
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_TOO_MANY_SPANS,
              "4096 offsets in the FreeBuffers of one message, after 4096 in it before",
              "at most 4096");
      assertThat(failed.getNotFreed()).isZero();
    }
    assertThat(alice.answers() - before).as("one each").isEqualTo(COMMANDS);
    alice.free(live);
  }

  @Test
  void free_overTheLimitTogether_theLaterCommandFreesNothingAndAShorterOneStillFits() {
    long live = alice.allocate(8);
    List<Long> most = Collections.nCopies(ContractLimits.MAX_FREED_BUFFERS - 1, 1L);
    ExchangeRequest.Builder message = free(1001, most).toBuilder();

    alice.send(
        message
            .addAlso(free(1002, List.of(live, live)))
            .addAlso(free(1003, List.of(live)))
            .build());

    alice.failed(1002, Code.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_TOO_MANY_SPANS);
    alice.accepted(1003);
  }
}
