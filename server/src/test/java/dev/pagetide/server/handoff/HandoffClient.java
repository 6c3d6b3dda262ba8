package dev.pagetide.server.handoff;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.FetchedFile;
import dev.pagetide.server.kit.RawHandoff;
import dev.pagetide.server.kit.RawSession;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;

/**
 * A process that tries to fetch the file of somebody else's session, and then fetches that of one
 * of its own. Says one line an attempt.
 */
final class HandoffClient {
  private HandoffClient() {}

  public static void main(String[] args) throws Exception {
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    RawSession own = RawSession.open(channel, 1);
    String socket = own.opened().getFile().getHandoffSocket();
    try (RawHandoff connection = RawHandoff.connect(socket)) {
      connection.send(args[1] + "\n");
      System.out.println("status " + connection.readStatus());
      System.out.println("descriptor " + connection.receiveDescriptor().isPresent());
    }
    int _ = own.use(0, 1).size();
    own.write(0, ByteString.copyFromUtf8("mine"));
    try (FetchedFile file = RawHandoff.fetch(socket, own.token())) {
      System.out.println(
          (file.header().rangeId() == own.opened().getRangeId()) + " " + file.text(0, 4));
    }
    channel.shutdownNow();
  }
}
