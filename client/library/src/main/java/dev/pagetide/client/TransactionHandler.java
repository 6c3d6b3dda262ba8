package dev.pagetide.client;

/** Serves the transactions of a receiver. */
@FunctionalInterface
public interface TransactionHandler {

  /**
   * Serves one transaction. The library calls the handler for one-way transactions one after the
   * other, in the order in which they arrived. Calls for two-way transactions may overlap with each
   * other and with those.
   *
   * <p>When the handler returns, the library frees the transaction's buffer, unless {@link
   * ReceivedTransaction#keep} was called. It refuses a two-way transaction that was neither kept
   * nor answered.
   *
   * <p>A handler that leaves its thread interrupted does not disturb the next one: the library does
   * not call the next handler on a thread that is interrupted because of this one.
   *
   * @throws Exception to refuse a two-way transaction, with the exception's class and message. The
   *     exception of a one-way transaction goes to {@link ReceiverOptions#errors}. The library
   *     frees the buffer, even if {@code keep} was called
   */
  void handle(ReceivedTransaction transaction) throws Exception;
}
