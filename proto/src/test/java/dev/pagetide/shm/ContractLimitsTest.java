package dev.pagetide.shm;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The contract's text and the constants say the same numbers. */
final class ContractLimitsTest {
  private static final Path CONTRACT = Path.of("src/main/proto/pagetide/v1");

  /** Each file of the contract, and what it has to say of a limit, on however many lines. */
  private static final String SENTENCES =
      """
      page_range  | MAX_SPANS             | at most %d spans
      page_range  | MAX_SPANS             | more than %d spans in one request
      page_range  | MAX_RUNS              | at most %,d runs
      page_range  | MAX_NAME_BYTES        | at most %d bytes of UTF-8
      page_range  | MAX_FREED_BUFFERS     | more than %d offsets in the FreeBuffers of one message
      page_range  | MAX_FURTHER_COMMANDS  | more than %d further commands
      page_range  | MAX_REFUSAL_BYTES     | more than %d bytes in the refusal
      shrinker    | MAX_LISTED_RANGES     | ; the server gives at most %d
      shrinker    | DEFAULT_LISTED_RANGES | most ranges in the answer; 0: %d;
      transaction | MAX_FURTHER_COMMANDS  | at most %d further commands
      transaction | MAX_FURTHER_EVENTS    | at most %d further events
      transaction | MAX_FREED_BUFFERS     | the buffers' offsets; at most %d in all of one message
      transaction | MAX_REFUSAL_BYTES     | in at most %d bytes
      """;

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = SENTENCES)
  void contract_limit_isSaidWhereItHolds(String file, String limit, String sentence)
      throws Exception {
    int number = ContractLimits.class.getField(limit).getInt(null);
    String text = Files.readString(CONTRACT.resolve(file + ".proto")).replaceAll("\\n *// ", " ");

    String said = String.format(Locale.ROOT, sentence, number);
    assertThat(text).containsPattern("(?i)" + Pattern.quote(said) + "(?!\\d)");
  }

  @Test
  void limits_all_haveARow() {
    assertThat(SENTENCES.lines().map(row -> row.split("\\|", -1)[1].strip()).distinct())
        .containsExactlyInAnyOrderElementsOf(
            Stream.of(ContractLimits.class.getFields()).map(Field::getName).toList());
  }
}
