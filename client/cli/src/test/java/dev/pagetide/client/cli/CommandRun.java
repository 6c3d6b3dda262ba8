package dev.pagetide.client.cli;

import com.google.protobuf.ByteString;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * One run of the {@code pagetide} command in this process.
 *
 * @param status its exit status
 * @param bytes what it wrote to standard output
 * @param err what it wrote to standard error
 */
record CommandRun(int status, ByteString bytes, String err) {

  String out() {
    return bytes.toStringUtf8();
  }

  static CommandRun of(String... arguments) {
    return of(Map.of(), new byte[0], arguments);
  }

  static CommandRun of(Map<String, String> environment, byte[] input, String... arguments) {
    return of(environment, new ByteArrayInputStream(input), arguments);
  }

  static CommandRun of(Map<String, String> environment, InputStream input, String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    CommandIo io =
        new CommandIo(
            input,
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            environment,
            false,
            false,
            false);
    int status = Pagetide.run(io, arguments);
    return new CommandRun(
        status, ByteString.copyFrom(out.toByteArray()), err.toString(StandardCharsets.UTF_8));
  }
}
