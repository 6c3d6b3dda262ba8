package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.rpc.ConnectionShares.Connection;
import dev.pagetide.server.session.Peer;
import org.junit.jupiter.api.Test;

/** What uids and connections may have of the limit on requests in flight. */
final class ConnectionSharesTest {
  private static final int CALLS = 16;

  private static int admitted(Share share) {
    int calls = 0;
    do {
      share.addCall();
      calls++;
    } while (!share.isOver(/* ofCalls= */ true, 0));
    return calls - 1;
  }

  @Test
  void begun_otherUidsCanConnect_hasAQuarterAndItsUidHalf() {
    ConnectionShares shares = new ConnectionShares(new Share(CALLS, 1 << 20), /* oneUid= */ false);

    Connection connection = shares.begun(Peer.unix(1000, 1));

    assertThat(admitted(connection.own())).isEqualTo(CALLS / 4);
    assertThat(admitted(connection.user())).isEqualTo(CALLS / 2);
  }

  @Test
  void begun_onlyOneUidCanConnect_hasHalfAndItsUidAll() {
    ConnectionShares shares = new ConnectionShares(new Share(CALLS, 1 << 20), /* oneUid= */ true);

    Connection connection = shares.begun(Peer.unix(1000, 1));

    assertThat(admitted(connection.own())).isEqualTo(CALLS / 2);
    assertThat(admitted(connection.user())).isEqualTo(CALLS);
  }

  @Test
  void begun_secondConnectionOfAUid_sharesWhatThatUidHas() {
    ConnectionShares shares = new ConnectionShares(new Share(CALLS, 1 << 20), /* oneUid= */ false);

    Connection first = shares.begun(Peer.unix(1000, 1));
    Connection second = shares.begun(Peer.unix(1000, 2));
    Connection otherUid = shares.begun(Peer.unix(1001, 3));
    Connection tcp = shares.begun(Peer.TCP);

    assertThat(second.user()).isSameAs(first.user());
    assertThat(second.own()).isNotSameAs(first.own());
    assertThat(otherUid.user()).isNotSameAs(first.user());
    assertThat(tcp.user()).isSameAs(shares.begun(Peer.TCP).user());
  }

  @Test
  void ended_lastConnectionOfAUid_keepsNothingOfIt() {
    ConnectionShares shares = new ConnectionShares(new Share(CALLS, 1 << 20), /* oneUid= */ false);
    Connection first = shares.begun(Peer.unix(1000, 1));
    Connection second = shares.begun(Peer.unix(1000, 2));
    Connection other = shares.begun(Peer.unix(1001, 3));
    assertThat(shares.users()).isEqualTo(2);

    shares.ended(first);

    assertThat(shares.users()).isEqualTo(2);
    shares.ended(second);
    assertThat(shares.users()).isEqualTo(1);
    shares.ended(other);
    assertThat(shares.users()).isZero();
  }
}
