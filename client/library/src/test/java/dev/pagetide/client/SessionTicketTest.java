package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Properties;
import org.junit.jupiter.api.Test;

/** A session's ticket on its way through a file. */
final class SessionTicketTest {

  private static final SessionTicket TICKET = new SessionTicket("abc", -1, 4096, 64, 1 << 20, -2);

  @Test
  void fromProperties_whatToPropertiesWrote_isTheSame() {
    assertThat(SessionTicket.fromProperties(TICKET.toProperties())).isEqualTo(TICKET);
  }

  @Test
  void fromProperties_missingOrBroken_saysWhich() {
    Properties missing = TICKET.toProperties();
    missing.remove("page_size");
    Properties broken = TICKET.toProperties();
    broken.setProperty("page_count", "many");
    Properties zero = TICKET.toProperties();
    zero.setProperty("max_data_bytes", "0");

    assertThatThrownBy(() -> SessionTicket.fromProperties(missing))
        .hasMessageContaining("page_size is missing");
    assertThatThrownBy(() -> SessionTicket.fromProperties(broken))
        .hasMessageContaining("page_count=many");
    assertThatThrownBy(() -> SessionTicket.fromProperties(zero))
        .hasMessageContaining("must be positive");
  }
}
