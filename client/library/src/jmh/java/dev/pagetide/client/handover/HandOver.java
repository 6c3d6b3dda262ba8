package dev.pagetide.client.handover;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * One way of handing bytes from a process to another one. {@link HandOverComparison} has three
 * processes: its own has the producer, the second the consumer, the third what stands between them.
 *
 * <p>Each process makes an object of its own. What they share is an empty directory of a short
 * name, for sockets.
 */
interface HandOver {
  /** Messages are at most so long. */
  int MAX_SIZE_BYTES = 1 << 20;

  /** What an end does that waits in vain: it fails after so many seconds. */
  int PATIENCE_SECONDS = 20;

  /** Why this way is not to be had on this machine, in one sentence; empty: it is. */
  default String missing() {
    return "";
  }

  /** Whether nothing stands between the two ends; then {@link #between} is not called. */
  default boolean isDirect() {
    return false;
  }

  /** How many messages of this size may be on their way at once while throughput is measured. */
  int window(int sizeBytes);

  /** In the third process, and first: starts the relay or server; it works until it is closed. */
  AutoCloseable between(Path directory) throws Exception;

  /** In the second process, next: from its return on messages may come. Lives till the JVM ends. */
  ConsumerEnd consumer(Path directory, Receiver receiver) throws Exception;

  /** In the first process, last. */
  ProducerEnd producer(Path directory) throws Exception;

  /**
   * What both ends are told before messages come, and while none is on its way.
   *
   * @param sizeBytes of each message: 0, or 8 and more and a multiple of 8
   * @param answerEvery every message whose number in this phase, from 1, is a multiple of it is
   *     answered; 1: one message is on its way at a time, and else {@link #window} of them
   */
  record Phase(int sizeBytes, int answerEvery) {}

  /** The end that hands bytes over. For one thread. */
  interface ProducerEnd extends AutoCloseable {
    /** Another phase begins. */
    void begin(Phase phase) throws Exception;

    /**
     * Space for the next message, of the phase's size. It holds anything; the caller overwrites all
     * of it and then calls {@link #send}. May wait until there is space.
     */
    MemorySegment buffer() throws Exception;

    /** Hands over the buffer. May gather messages, until {@link #awaitAnswer} at the latest. */
    void send() throws Exception;

    /**
     * Waits for the next answer, and tells it.
     *
     * @throws Exception also if there is none for {@link #PATIENCE_SECONDS}
     */
    long awaitAnswer() throws Exception;

    @Override
    void close() throws IOException;
  }

  /** The end that is handed bytes. */
  interface ConsumerEnd {
    /** Another phase begins. */
    void begin(Phase phase) throws Exception;
  }

  /** Who reads what the consumer's end is handed. */
  interface Receiver {
    /** What {@link #received} says of a message that is not to be answered. */
    long NO_ANSWER = -1;

    /**
     * Reads one message, all of it, before it returns.
     *
     * @return the answer, 8 bytes to be sent back to the producer at once, or {@link #NO_ANSWER}
     */
    long received(MemorySegment bytes);
  }
}
