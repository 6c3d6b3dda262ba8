package dev.pagetide.server.transaction;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.v1.ExchangeResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;

/**
 * What a process of another uid tries to send to endpoints of the server: to one that is there and
 * to one that is not. Says one line an attempt, and its own pid last.
 */
final class OtherUidEndpoint {
  private OtherUidEndpoint() {}

  public static void main(String[] args) {
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    int uid = Integer.parseInt(args[1]);
    RawEndpoint own = RawEndpoint.open(channel, "nobody's", 1);
    for (String target : new String[] {"bob", "no such endpoint"}) {
      ExchangeResponse answer =
          own.await(
              own.transact(
                  RawEndpoint.to(target, RawEndpoint.bytes(ByteString.copyFromUtf8("hello")))
                      .setTargetUid(uid)
                      .setFlags(RawEndpoint.ONE_WAY)));
      System.out.println(answer.getEventCase() + " " + answer.getFailed().getReason().name());
    }
    System.out.println(ProcessHandle.current().pid());
    channel.shutdownNow();
  }
}
