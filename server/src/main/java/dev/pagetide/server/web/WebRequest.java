package dev.pagetide.server.web;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.EmptyHttpHeaders;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.TooLongHttpContentException;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP request and the way to its answer. It gets one answer, from any thread: with one of the
 * {@code answer} methods, or with {@link #openEvents}.
 */
final class WebRequest {
  static final String TEXT = "text/plain; charset=utf-8";

  private final HttpRequest request;
  private final URI uri;
  private final HttpConnection connection;
  private final HttpHeaders answerHeaders = new DefaultHttpHeaders();

  private WebRequest(HttpRequest request, URI uri, HttpConnection connection) {
    this.request = request;
    this.uri = uri;
    this.connection = connection;
  }

  /** A request as it came; null if it was malformed, and is answered already. */
  static @Nullable WebRequest read(HttpRequest request, HttpConnection connection) {
    HttpResponseStatus refusal = null;
    if (request.decoderResult().isFailure()) {
      refusal = refusalOf(request.decoderResult().cause());
    } else {
      try {
        return new WebRequest(request, URI.create(request.uri()), connection);
      } catch (IllegalArgumentException e) {
        refusal = HttpResponseStatus.BAD_REQUEST;
      }
    }
    // What follows on this connection cannot be told from the rest of this request.
    HttpUtil.setKeepAlive(request, false);
    new WebRequest(request, URI.create("/"), connection)
        .answer(refusal.code(), TEXT, refusal.reasonPhrase() + "\n");
    return null;
  }

  private static HttpResponseStatus refusalOf(Throwable cause) {
    return switch (cause) {
      case TooLongHttpLineException _ -> HttpResponseStatus.REQUEST_URI_TOO_LONG;
      case TooLongHttpHeaderException _ -> HttpResponseStatus.REQUEST_HEADER_FIELDS_TOO_LARGE;
      case TooLongHttpContentException _ -> HttpResponseStatus.REQUEST_ENTITY_TOO_LARGE;
      default -> HttpResponseStatus.BAD_REQUEST;
    };
  }

  /** The path, decoded; empty if the request has none. */
  String path() {
    return Objects.requireNonNullElse(uri.getPath(), "");
  }

  /** What follows the question mark, as it came; empty if there is none. */
  String rawQuery() {
    return Objects.requireNonNullElse(uri.getRawQuery(), "");
  }

  HttpHeaders headers() {
    return request.headers();
  }

  /** The headers of the answer, except those of its body; to be set before the answer. */
  HttpHeaders answerHeaders() {
    return answerHeaders;
  }

  boolean isHead() {
    return request.method().equals(HttpMethod.HEAD);
  }

  /** Whether the request only reads. */
  boolean isRead() {
    return isHead() || request.method().equals(HttpMethod.GET);
  }

  void answer(int code, String type, String text) {
    answer(code, type, Unpooled.copiedBuffer(text, StandardCharsets.UTF_8));
  }

  /**
   * Answers with a body, which is left out if the request is a HEAD.
   *
   * @param body released by this call
   */
  void answer(int code, String type, ByteBuf body) {
    answerHeaders
        .set(HttpHeaderNames.CONTENT_TYPE, type)
        .set(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes());
    if (isHead()) {
      body.release();
      send(code, Unpooled.EMPTY_BUFFER);
    } else {
      send(code, body);
    }
  }

  /** Answers without a body: a redirection, or a HEAD whose body's length is not known. */
  void answerEmpty(int code) {
    if (!isHead()) {
      answerHeaders.set(HttpHeaderNames.CONTENT_LENGTH, 0);
    }
    send(code, Unpooled.EMPTY_BUFFER);
  }

  void answerBadMethod() {
    answerHeaders.set(HttpHeaderNames.ALLOW, "GET, HEAD");
    answer(HttpResponseStatus.METHOD_NOT_ALLOWED.code(), TEXT, "only GET and HEAD are served\n");
  }

  /** Answers that the server has failed. Does nothing if there is an answer already. */
  void answerFailure() {
    answer(HttpResponseStatus.INTERNAL_SERVER_ERROR.code(), TEXT, "failed; see the server's log\n");
  }

  private void send(int code, ByteBuf body) {
    boolean keepAlive = HttpUtil.isKeepAlive(request);
    complete(keepAlive);
    FullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1,
            HttpResponseStatus.valueOf(code),
            body,
            answerHeaders,
            EmptyHttpHeaders.INSTANCE);
    connection.answer(response, keepAlive);
  }

  private void complete(boolean keepAlive) {
    answerHeaders.set(
        HttpHeaderNames.DATE,
        DateTimeFormatter.RFC_1123_DATE_TIME.format(ZonedDateTime.now(ZoneOffset.UTC)));
    HttpUtil.setKeepAlive(answerHeaders, request.protocolVersion(), keepAlive);
  }

  /** Answers with events, which end with the connection. */
  EventStream openEvents() {
    boolean chunked = request.protocolVersion().isKeepAliveDefault();
    complete(chunked);
    answerHeaders.set(HttpHeaderNames.CONTENT_TYPE, EventStream.TYPE);
    HttpResponse response =
        new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK, answerHeaders);
    HttpUtil.setTransferEncodingChunked(response, chunked);
    var _ = connection.send(response);
    return new EventStream(connection);
  }

  /** Hangs up, unless the request has got a whole answer. */
  void abandon() {
    connection.abandon(this);
  }
}
