package dev.pagetide.shm;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.FileDescriptor;
import dev.pagetide.v1.PageRangeProto;
import dev.pagetide.v1.ShrinkerProto;
import dev.pagetide.v1.TransactionProto;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** protoc makes no Go code of a file that does not say its Go package. */
final class GoPackageTest {

  @Test
  void goPackage_everyFileOfTheContract_isOneAndTheSame() {
    assertThat(
            Stream.of(
                PageRangeProto.getDescriptor(),
                ShrinkerProto.getDescriptor(),
                TransactionProto.getDescriptor()))
        .extracting(FileDescriptor::getOptions)
        .extracting(options -> options.getGoPackage())
        .containsOnly("pagetide.dev/proto/pagetide/v1;pagetidev1");
  }
}
