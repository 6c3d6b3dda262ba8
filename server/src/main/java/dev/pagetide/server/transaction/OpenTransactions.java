package dev.pagetide.server.transaction;

import java.util.Collection;
import java.util.Locale;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The transactions of one endpoint that are not over: those that it began, and those that it
 * receives.
 */
final class OpenTransactions {
  /** Two-way transactions that the endpoint waits for, by the command that began each. */
  private final ConcurrentHashMap<Long, Transaction> asked = new ConcurrentHashMap<>();

  /** Transactions for the endpoint, by their numbers. */
  private final ConcurrentHashMap<Long, Transaction> incoming = new ConcurrentHashMap<>();

  /**
   * Adds a two-way transaction that the endpoint begins.
   *
   * @throws TransactionFailure if the endpoint waits for as many replies as it may, or already
   *     waits for the reply to this command
   */
  void ask(long command, Transaction transaction, int most) {
    if (asked.size() >= most) {
      throw new TransactionFailure.TooMany(most);
    }
    if (asked.putIfAbsent(command, transaction) != null) {
      throw new TransactionFailure.Invalid(
          String.format(
              Locale.ROOT,
              "id=%s is that of a transaction that waits for its reply; give each another",
              Long.toUnsignedString(command)));
    }
  }

  /** Adds one that the endpoint receives. */
  void receive(Transaction transaction) {
    incoming.put(transaction.id(), transaction);
  }

  /**
   * The transaction that the command began and that the endpoint waits for; null if there is none.
   */
  @Nullable Transaction askedBy(long command) {
    return asked.get(command);
  }

  /** The transaction of that number that the endpoint receives; null if there is none. */
  @Nullable Transaction incoming(long id) {
    return incoming.get(id);
  }

  void forgetAsked(Transaction transaction) {
    asked.remove(transaction.command(), transaction);
  }

  void forgetIncoming(Transaction transaction) {
    incoming.remove(transaction.id(), transaction);
  }

  /** Ends all of them, because their endpoint ends; each even if ending others throws. */
  void endAll(String receiver) {
    try {
      endEach(
          incoming.values(),
          TransactionOutcome.TARGET_DIED,
          new TransactionFailure.TargetDied(receiver));
    } finally {
      endEach(asked.values(), TransactionOutcome.ASKER_DIED, null);
    }
  }

  private static void endEach(
      Collection<Transaction> transactions,
      TransactionOutcome outcome,
      @Nullable Throwable toAsker) {
    for (Transaction transaction : transactions) {
      boolean done = false;
      try {
        transaction.end(outcome, toAsker);
        done = true;
      } finally {
        if (!done) {
          endEach(transactions, outcome, toAsker); // does nothing to those that have ended
        }
      }
    }
  }
}
