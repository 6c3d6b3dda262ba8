package dev.pagetide.client.hostile;

import static dev.pagetide.client.hostile.SystemCalls.check;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A process that goes so many steps towards a mapped file, says so, and waits to be killed. */
final class StepwiseClient {
  /** How far it goes. */
  enum Step {
    CONNECTED,
    OPEN_SENT,
    OPENED,
    HANDOFF_CONNECTED,
    TOKEN_SENT,
    STATUS_RECEIVED,
    DESCRIPTOR_RECEIVED,
    MAPPED
  }

  private StepwiseClient() {}

  /**
   * Runs the client; which step is the last it is told on standard input.
   *
   * @param args the directory of the server
   */
  public static void main(String[] args) throws Exception {
    try (BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        RawClient client = new RawClient(Path.of(args[0]))) {
      String line = input.readLine();
      if (line != null) {
        go(client, Step.valueOf(line));
        System.out.println(line);
        String _ = input.readLine(); // there is none
      }
    }
  }

  private static void go(RawClient client, Step last) throws InterruptedException {
    client.connect();
    if (last == Step.CONNECTED) {
      return;
    }
    client.sendOpen(HostileClient.SIZE_BYTES);
    if (last == Step.OPEN_SENT) {
      return;
    }
    String token = client.awaitOpened().getSession();
    if (last == Step.OPENED) {
      return;
    }
    int socket = (int) check(client.connectHandoff());
    if (last == Step.HANDOFF_CONNECTED) {
      return;
    }
    RawClient.sendToken(socket, token);
    if (last == Step.TOKEN_SENT) {
      return;
    }
    String status = RawClient.readStatus(socket);
    if (!status.equals("PASSED")) {
      throw new AssertionError(status);
    }
    if (last == Step.STATUS_RECEIVED) {
      return;
    }
    int descriptor = (int) check(SystemCalls.receiveDescriptor(socket));
    if (last == Step.DESCRIPTOR_RECEIVED) {
      return;
    }
    client.map(descriptor).fill((byte) 0x5a);
  }
}
