package dev.pagetide.server.web;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers {@code /metrics}. One scrape is made at a time, off the event loop. All requests that
 * came meanwhile share the next one, so many requests cost no more than one after the other, and no
 * answer is older than its request.
 *
 * <p>Only for the listener's event loop.
 */
final class MeterScrapes {
  private static final Logger LOG = LoggerFactory.getLogger(MeterScrapes.class);

  private final MeterText meters;
  private final EventLoop loop;
  private final Executor aside;

  /** Requests for the next scrape, by the content type that they get. */
  private Map<String, List<WebRequest>> waiting = new TreeMap<>();

  private boolean underWay;

  /**
   * An endpoint that nobody has asked yet.
   *
   * @param aside runs the scrapes
   */
  MeterScrapes(MeterText meters, EventLoop loop, Executor aside) {
    this.meters = meters;
    this.loop = loop;
    this.aside = aside;
  }

  void handle(WebRequest request) {
    if (!request.isRead()) {
      request.answerBadMethod();
      return;
    }
    String accept = Objects.requireNonNullElse(request.headers().get(HttpHeaderNames.ACCEPT), "");
    String type = meters.contentType(accept);
    if (request.isHead()) {
      request.answerHeaders().set(HttpHeaderNames.CONTENT_TYPE, type);
      // No length, because we would have to read the meters to know it.
      request.answerEmpty(HttpResponseStatus.OK.code());
      return;
    }
    waiting.computeIfAbsent(type, _ -> new ArrayList<>()).add(request);
    begin();
  }

  private void begin() {
    if (!underWay && !waiting.isEmpty()) {
      Map<String, List<WebRequest>> asked = waiting;
      waiting = new TreeMap<>();
      aside.execute(() -> scrape(asked));
      underWay = true;
    }
  }

  private void scrape(Map<String, List<WebRequest>> asked) {
    try {
      asked.forEach(this::scrape);
    } finally {
      onLoop(() -> {
        underWay = false;
        begin();
      });
    }
  }

  private void scrape(String type, List<WebRequest> requests) {
    try {
      String text = meters.scrape(type);
      onLoop(() -> answer(requests, type, text));
    } catch (RuntimeException | Error e) {
      // Also an Error: a request without an answer would keep its connection for good.
      LOG.error("reading the meters failed", e);
      requests.forEach(WebRequest::answerFailure);
    }
  }

  /** They share one buffer: the readers that are slow hold it once. */
  private static void answer(List<WebRequest> requests, String type, String text) {
    ByteBuf body =
        ByteBufUtil.encodeString(
            PooledByteBufAllocator.DEFAULT, CharBuffer.wrap(text), StandardCharsets.UTF_8);
    try {
      for (WebRequest request : requests) {
        request.answer(HttpResponseStatus.OK.code(), type, body.retainedDuplicate());
      }
    } finally {
      body.release();
    }
  }

  private void onLoop(Runnable task) {
    try {
      loop.execute(task);
    } catch (RejectedExecutionException e) {
      LOG.debug("the listener has ended before its last scrape", e);
    }
  }
}
