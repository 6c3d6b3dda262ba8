package dev.pagetide.server.session;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.v1.CountRequest;
import dev.pagetide.v1.ListRangesRequest;
import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.ScanRequest;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import dev.pagetide.v1.StopUsingRangeRequest;
import dev.pagetide.v1.UseRangeRequest;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/**
 * What a process of another uid tries on a server: with somebody else's token, with the shrinker,
 * and with a session of its own. Says one line an attempt.
 */
final class OtherUidClient {
  private OtherUidClient() {}

  public static void main(String[] args) {
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    String token = args[1];
    RawSession own = RawSession.open(channel, args[2], RawSession.PAGE);
    attempt(() -> own.stub().read(ReadRequest.newBuilder().setSession(token).setLength(1).build()));
    attempt(() ->
        own.stub()
            .useRange(
                UseRangeRequest.newBuilder()
                    .setSession(token)
                    .addPages(RawSession.span(0, 2))
                    .build()));
    attempt(() ->
        own.stub()
            .stopUsingRange(
                StopUsingRangeRequest.newBuilder()
                    .setSession(token)
                    .addPages(RawSession.span(0, 2))
                    .build()));
    var shrinker =
        ShrinkerServiceGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    attempt(() -> shrinker.count(CountRequest.getDefaultInstance()));
    attempt(() -> shrinker.scan(ScanRequest.newBuilder().setPages(100).build()));
    attempt(() -> shrinker.listRanges(ListRangesRequest.getDefaultInstance()));
    int _ = own.use(0, 1).size();
    System.out.println("own " + own.map());
    channel.shutdownNow();
  }

  private static void attempt(ThrowingCallable call) {
    Refusal refusal = Refusal.of(call);
    System.out.println(refusal.code() + " " + refusal.reason());
  }
}
