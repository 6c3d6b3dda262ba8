package dev.pagetide.server.kit;

import com.google.protobuf.ByteString;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;

/** A client process that opens a range, uses it, says so, and writes until it is killed. */
public final class WritingClient {
  public static final int PAGES = 64;

  private WritingClient() {}

  public static void main(String[] args) {
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    RawSession session = RawSession.open(channel, "writer", (long) PAGES * RawSession.PAGE);
    System.out.println("session " + session.token());
    int _ = session.use(0, PAGES).size();
    ByteString bytes = ByteString.copyFrom(new byte[PAGES * RawSession.PAGE]);
    session.write(0, bytes);
    System.out.println("writing");
    while (!session.hasEnded()) {
      session.write(0, bytes);
    }
    channel.shutdownNow();
  }
}
