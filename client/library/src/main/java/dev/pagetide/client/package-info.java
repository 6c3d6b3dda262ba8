/**
 * The Java client of Pagetide. A program opens a range, uses its pages, writes and reads them, and
 * stops using them. Or it sends bytes from one process to another, and the server copies them once.
 * Start at {@link dev.pagetide.client.PagetideClient}.
 *
 * <h2>Which thread may call which method, and what ends each wait</h2>
 *
 * <p>Any thread may call any method, except for one kind of thread: the one that <em>delivers
 * answers</em>. That thread runs the stages of this library's futures, and the handlers of a
 * receiver whose executor is {@code Runnable::run}. It receives the answers of the server, so a
 * call that waits on this thread would wait for itself. Where the table says "refused", the call
 * throws {@link java.lang.IllegalStateException} on such a thread before it does anything, even if
 * it would not have to wait this time. The {@code Async} twins, the accessors and every method that
 * the table does not name never wait. Any thread may call them.
 *
 * <p>Unless the table says otherwise, an interrupt ends a wait with CANCELLED and an unknown
 * outcome, and with the interrupt flag set. If the answer has arrived by then, the call returns it,
 * so no answer is lost. What arrives later for such a call does not stay open: sessions end,
 * buffers are freed, files are unmapped, and the next use reports the pages that may be fresh.
 *
 * <p>"The call timeout" is {@link dev.pagetide.client.ClientOptions#callTimeout}.
 *
 * <table>
 * <caption>The methods that wait</caption>
 * <tr><th>Method<th>Where answers are delivered<th>What ends the wait<th>An interrupt
 * <tr><td>{@code PagetideClient.open}, {@code PagetideClient.openReceiver},
 *     {@code PagetideClient.openSender}
 *   <td>refused
 *   <td>the server's answers; one call timeout for session, file and stream together
 *   <td>ends the session
 * <tr><td>{@code PageRange.useRange}, {@code PageRange.stopUsingRange}, {@code PageRange.read},
 *     {@code PageRange.write}, {@code PageRange.fillZero}, {@code PageRange.describe},
 *     {@code ShrinkerClient.count}, {@code ShrinkerClient.memory}, {@code ShrinkerClient.scan},
 *     {@code ShrinkerClient.listRanges}
 *   <td>refused
 *   <td>the server's answer; one call timeout; the end of the session
 *   <td>cancels the call
 * <tr><td>{@code PageRange.use}
 *   <td>refused
 *   <td>as {@code useRange}; also, within the same call timeout, the stop of another scope of these
 *     pages, and the server's answer to another scope about them
 *   <td>cancels the call, and the scope does not begin; if it waits only for the answer to another
 *     scope, the scope begins, and the pages that the other scope asked for count as fresh
 * <tr><td>{@code Sender.send}, {@code Sender.stage}
 *   <td>refused
 *   <td>the server's answer; one call timeout; the end of the session
 *   <td>cancels: a command that was not sent yet is not sent, and a buffer that arrives is freed
 * <tr><td>{@code Sender.ask}
 *   <td>refused
 *   <td>the reply; {@code AskOptions.timeout}, if there is one; the end of either session
 *   <td>cancels the transaction, and a reply that arrives is freed
 * <tr><td>{@code PageCache.get}
 *   <td>refused
 *   <td>the server's answer and the end of a lease, each within one call timeout; another thread's
 *     loader of the same key, however long it runs; the end of the cache
 *   <td>the call takes no lease; a loader that this thread runs handles interrupts itself
 * <tr><td>{@code UsedPages.read}, {@code UsedPages.write}, {@code UsedPages.fillZero},
 *     {@code UsedPages.copyTo}
 *   <td>refused if the range is remote; otherwise it does not wait
 *   <td>the server's answer; one call timeout for a read or a write; the end of the session
 *   <td>cancels the call
 * <tr><td>{@code Reply.data}, {@code ReceivedTransaction.data}
 *   <td>refused if the file is not mapped and the bytes did not come with the message; otherwise
 *     it does not wait
 *   <td>the server's answer; one call timeout; the end of the session
 *   <td>cancels the call; a later call can ask for the bytes again
 * <tr><td>{@code ReceivedTransaction.reply}
 *   <td>does not wait: the reply is sent
 *   <td>the server's answer; one call timeout; the end of the session
 *   <td>ends the wait; the reply is sent
 * <tr><td>{@code UsedPages.close}
 *   <td>does not wait: it notifies the server
 *   <td>if the range is remote: the server's answer; one call timeout; the end of the session
 *   <td>ends the wait; the server is notified nevertheless
 * <tr><td>{@code PagetideClient.close}
 *   <td>does not wait: it notifies the server
 *   <td>the end of the connection; some seconds
 *   <td>ends the wait; the server is notified nevertheless
 * <tr><td>{@code PagetideClient.connectTcp}
 *   <td>refused
 *   <td>the end of the look-up of the host's name; an address needs none
 *   <td>does not end it
 * </table>
 */
@NullMarked
package dev.pagetide.client;

import org.jspecify.annotations.NullMarked;
