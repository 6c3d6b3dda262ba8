package dev.pagetide.client;

/** What a receiver does with transactions. */
@FunctionalInterface
public interface TransactionHandler {

  /**
   * Serves one transaction. One-way transactions are handled one after the other, in the order in
   * which they came; two-way ones may overlap with each other and with those.
   *
   * <p>When it returns, the transaction's buffer is freed, unless {@link ReceivedTransaction#keep}
   * was called, and a two-way transaction that was neither kept nor answered is refused.
   *
   * <p>A handler that leaves its thread interrupted does not disturb the next: that is not called
   * on a thread that is interrupted because of it.
   *
   * @throws Exception to refuse a two-way transaction, with the exception's class and message; of a
   *     one-way one it goes to {@link ReceiverOptions#errors}. Kept or not, the buffer is freed
   */
  void handle(ReceivedTransaction transaction) throws Exception;
}
