package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.shm.PageState;
import io.grpc.Status;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Each constant of the contract is the constant of the same name in the public API. */
final class WireEnumsTest {

  /** Compares by name, and finds that each constant of the public API stands for something. */
  private static <W extends Enum<W>, T extends Enum<T>> void assertSameNames(
      Class<W> wire, Class<T> own, Function<W, T> mapping) {
    String prefix = wire.getSimpleName().replaceAll("(?<!^)(?=[A-Z])", "_") + "_";
    String start = prefix.toUpperCase(Locale.ROOT);
    for (W constant : wire.getEnumConstants()) {
      String name = constant.name().replaceFirst("^" + start, "");
      if (!name.equals("UNSPECIFIED")) {
        assertThat(mapping.apply(constant).name()).isEqualTo(name);
      }
    }
    assertThat(Arrays.stream(wire.getEnumConstants()).map(mapping))
        .contains(own.getEnumConstants());
  }

  @Test
  void constants_ofTheContract_keepTheirNames() {
    assertSameNames(dev.pagetide.v1.RangeMode.class, RangeMode.class, WireEnums::mode);
    assertSameNames(dev.pagetide.v1.Transport.class, Transport.class, WireEnums::transport);
    assertSameNames(dev.pagetide.v1.ReclaimTrigger.class, ReclaimTrigger.class, WireEnums::trigger);
    assertSameNames(dev.pagetide.v1.SkipReason.class, SkipReason.class, WireEnums::skipReason);
    assertSameNames(dev.pagetide.v1.ErrorReason.class, ErrorReason.class, WireEnums::reason);
    assertSameNames(Status.Code.class, StatusCode.class, WireEnums::code);
  }

  @Test
  void pageStates_ofTheContract_keepTheirNames() {
    for (PageState state : PageState.values()) {
      var wire = dev.pagetide.v1.PageState.valueOf("PAGE_STATE_" + state);
      assertThat(WireEnums.pageState(wire, wire.getNumber())).isEqualTo(state);
    }
    for (var wire : dev.pagetide.v1.PageState.values()) {
      String name = wire.name().replaceFirst("^PAGE_STATE_", "");
      if (wire != dev.pagetide.v1.PageState.UNRECOGNIZED && !name.equals("UNSPECIFIED")) {
        assertThat(PageState.valueOf(name).name()).isEqualTo(name);
      }
    }
  }

  @Test
  void constants_thatTheContractNeverSends_areUnrecognized() {
    assertThat(WireEnums.mode(dev.pagetide.v1.RangeMode.RANGE_MODE_UNSPECIFIED))
        .as("the contract says: as pages")
        .isEqualTo(RangeMode.PAGES);
    assertThat(WireEnums.transport(dev.pagetide.v1.Transport.TRANSPORT_UNSPECIFIED))
        .isEqualTo(Transport.UNRECOGNIZED);
    assertThat(WireEnums.reason("NOT_YET_KNOWN")).isEqualTo(ErrorReason.UNRECOGNIZED);
  }

  @Test
  void rangeModes_sentToTheServer_comeBackAsTheyWere() {
    assertThat(Stream.of(RangeMode.PAGES, RangeMode.BUFFERS))
        .allSatisfy(mode -> assertThat(WireEnums.mode(WireEnums.wire(mode))).isEqualTo(mode));
  }
}
