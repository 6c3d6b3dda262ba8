/**
 * The Java client of Pagetide: open a range, use its pages, write and read them, stop using them;
 * or hand bytes from one process to another, which are copied once. Start at {@link
 * dev.pagetide.client.PagetideClient}.
 *
 * <h2>Who may call what on which thread, and what ends each wait</h2>
 *
 * <p>Any thread may call any method, but for one kind of thread: the one that <em>delivers
 * answers</em>. It runs the stages of the futures of this library, and the handlers of a receiver
 * whose executor is {@code Runnable::run}. It is the thread that brings the answers, so a call that
 * waits there would wait for itself. Where the table says "refused", the call throws {@link
 * java.lang.IllegalStateException} there before it does anything, even if it would not have to wait
 * this time. The {@code Async} twins, the accessors and every method that the table does not name
 * never wait and may be called on any thread.
 *
 * <p>Unless the table says otherwise, an interrupt ends a wait with CANCELLED and an unknown
 * outcome, and with the interrupt flag set. If the answer is there by then, the call returns it, so
 * no answer is lost. Nothing that comes later for such a call stays open: sessions end, buffers are
 * freed, files are unmapped, and pages that may be fresh are reported by the next use.
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
 *   <td>gives the session up
 * <tr><td>{@code PageRange.useRange}, {@code PageRange.stopUsingRange}, {@code PageRange.read},
 *     {@code PageRange.write}, {@code PageRange.fillZero}, {@code PageRange.describe},
 *     {@code ShrinkerClient.count}, {@code ShrinkerClient.memory}, {@code ShrinkerClient.scan},
 *     {@code ShrinkerClient.listRanges}
 *   <td>refused
 *   <td>the server's answer; one call timeout; the end of the session
 *   <td>cancels the call
 * <tr><td>{@code PageRange.use}
 *   <td>refused
 *   <td>as {@code useRange}; the stop of another scope of these pages, and what another scope was
 *     told of them, within the same call timeout
 *   <td>cancels the call, and the scope is not begun; while it waits only for what another scope
 *     asked, the scope begins, and the pages that the other asked for count as fresh
 * <tr><td>{@code Sender.send}, {@code Sender.stage}
 *   <td>refused
 *   <td>the server's answer; one call timeout; the end of the session
 *   <td>gives up: what was not sent is not sent, and a buffer that comes is freed
 * <tr><td>{@code Sender.ask}
 *   <td>refused
 *   <td>the reply; {@code AskOptions.timeout}, if there is one; the end of either session
 *   <td>gives the transaction up, and a reply that comes is freed
 * <tr><td>{@code PageCache.get}
 *   <td>refused
 *   <td>the server's answer and the end of a lease, each within one call timeout; another thread's
 *     loader of the same key, however long it runs; the end of the cache
 *   <td>no lease is taken; a loader that this thread runs sees to interrupts itself
 * <tr><td>{@code UsedPages.read}, {@code UsedPages.write}, {@code UsedPages.fillZero},
 *     {@code UsedPages.copyTo}
 *   <td>refused if the range is remote; else it does not wait
 *   <td>the server's answer; one call timeout for a read or a write; the end of the session
 *   <td>cancels the call
 * <tr><td>{@code Reply.data}, {@code ReceivedTransaction.data}
 *   <td>refused if the file is not mapped and the bytes did not come with the message; else it
 *     does not wait
 *   <td>the server's answer; one call timeout; the end of the session
 *   <td>cancels the call; the bytes can be asked for again
 * <tr><td>{@code ReceivedTransaction.reply}
 *   <td>does not wait: the reply is sent
 *   <td>the server's answer; one call timeout; the end of the session
 *   <td>ends the wait; the reply is sent
 * <tr><td>{@code UsedPages.close}
 *   <td>does not wait: the server is told
 *   <td>where the range is remote: the server's answer; one call timeout; the end of the session
 *   <td>ends the wait; the server is told
 * <tr><td>{@code PagetideClient.close}
 *   <td>does not wait: the server is told
 *   <td>the end of the connection; some seconds
 *   <td>ends the wait; the server is told
 * <tr><td>{@code PagetideClient.connectTcp}
 *   <td>refused
 *   <td>the look-up of the host's name; an address needs none
 *   <td>does not end it
 * </table>
 */
@NullMarked
package dev.pagetide.client;

import org.jspecify.annotations.NullMarked;
