package dev.pagetide.shm;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The contract's text and the constants say the same numbers. */
final class ContractLimitsTest {
  private static final Path CONTRACT = Path.of("src/main/proto/pagetide/v1");

  /** Each file of the contract, and what it has to say of a limit, on however many lines. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          page_range  | MAX_SPANS             | at most %d spans
          page_range  | MAX_SPANS             | more than %d spans in one request
          page_range  | MAX_RUNS              | at most %,d
          page_range  | MAX_NAME_BYTES        | at most %d bytes of UTF-8
          shrinker    | MAX_LISTED_RANGES     | at most %d
          shrinker    | DEFAULT_LISTED_RANGES | 0: %d;
          transaction | MAX_FURTHER_COMMANDS  | at most %d
          transaction | MAX_FURTHER_EVENTS    | at most %d
          transaction | MAX_FREED_BUFFERS     | at most %d
          transaction | MAX_REFUSAL_BYTES     | in at most %d bytes
          """)
  void contract_limit_isSaidWhereItHolds(String file, String limit, String sentence)
      throws Exception {
    int number = ContractLimits.class.getField(limit).getInt(null);
    String text = Files.readString(CONTRACT.resolve(file + ".proto")).replaceAll("\\n *// ", " ");

    assertThat(text).containsIgnoringCase(String.format(Locale.ROOT, sentence, number));
  }
}
