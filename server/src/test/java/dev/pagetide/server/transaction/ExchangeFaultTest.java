package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.InsideServer;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.server.page.ServerTerms;
import dev.pagetide.server.rpc.GrpcEndpoint;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.ErrorReason;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.Test;

/** A fault of the server's own within an Exchange, which no failed call tells of. */
final class ExchangeFaultTest {
  private static final int EIO = 5;

  private static PageFile fileThatRefusesWrites(String name, SharedFileLayout layout)
      throws SystemCallException {
    PageFile file = Memfd.create(name, layout);
    return (PageFile)
        Proxy.newProxyInstance(
            PageFile.class.getClassLoader(),
            new Class<?>[] {PageFile.class},
            (_, method, arguments) -> {
              if (method.getName().equals("write")) {
                throw new SystemCallException("write()", EIO);
              }
              try {
                return method.invoke(file, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  @Test
  void transact_theKernelRefusesTheCopy_isOneFaultAndTheExchangeGoesOn() {
    ServerTerms terms =
        new ServerTerms(
            1024, ServerTerms.DEFAULT_RANGE_BYTES, ExchangeFaultTest::fileThatRefusesWrites);
    try (InsideServer server = InsideServer.start(terms)) {
      ManagedChannel channel =
          Grpc.newChannelBuilder(
                  "unix:" + server.directory().resolve("grpc.sock"),
                  InsecureChannelCredentials.create())
              .build();
      try {
        RawEndpoint alice = RawEndpoint.open(channel, "alice", 4);
        RawEndpoint bob = RawEndpoint.open(channel, "bob", 4);
        long before = GrpcEndpoint.faults();

        long command =
            alice.transact(
                RawEndpoint.to("bob", RawEndpoint.bytes(ByteString.copyFromUtf8("bytes")))
                    .setFlags(RawEndpoint.ONE_WAY));

        alice.failed(command, Code.INTERNAL, ErrorReason.ERROR_REASON_INTERNAL_BUG, "id=");
        assertThat(GrpcEndpoint.faults()).isEqualTo(before + 1);
        assertThat(alice.allocate(100)).as("the Exchange goes on").isNotNegative();
        channel.shutdownNow();
        server.awaitEnd(alice.session().opened().getRangeId());
        server.awaitEnd(bob.session().opened().getRangeId());
      } finally {
        channel.shutdownNow();
      }
    }
  }
}
