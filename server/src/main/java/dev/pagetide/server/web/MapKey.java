package dev.pagetide.server.web;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The key to the tide map: 128 random bits. It is in the URL once, and a cookie made from it
 * replaces it from then on. The time of a comparison tells nothing about the key. Immutable.
 */
public final class MapKey {
  private static final int BYTES = 16;
  private static final Pattern TEXT = Pattern.compile("[A-Za-z0-9_-]{22}");

  private final String text;
  private final String cookie;

  private MapKey(String text) {
    this.text = text;
    this.cookie = derived(text);
  }

  /** A new key. */
  public static MapKey random() {
    byte[] bytes = new byte[BYTES];
    new SecureRandom().nextBytes(bytes);
    return new MapKey(Base64.getUrlEncoder().withoutPadding().encodeToString(bytes));
  }

  /**
   * A key that was stored as text.
   *
   * @throws IllegalArgumentException if the text is no key
   */
  public static MapKey parse(String text) {
    if (!TEXT.matcher(text).matches()) {
      throw new IllegalArgumentException("not a key of 22 letters, digits, _ and -");
    }
    return new MapKey(text);
  }

  /** The key as it is in the URL. */
  public String text() {
    return text;
  }

  /** The value of the cookie. The key, and so the URL, cannot be computed from it. */
  String cookie() {
    return cookie;
  }

  boolean isKey(String given) {
    return same(text, given);
  }

  boolean isCookie(String given) {
    return same(cookie, given);
  }

  private static boolean same(String secret, String given) {
    return MessageDigest.isEqual(
        secret.getBytes(StandardCharsets.UTF_8), given.getBytes(StandardCharsets.UTF_8));
  }

  private static String derived(String key) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.UTF_8), mac.getAlgorithm()));
      byte[] cookie = mac.doFinal("pagetide map cookie".getBytes(StandardCharsets.UTF_8));
      return Base64.getUrlEncoder().withoutPadding().encodeToString(cookie);
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has HmacSHA256", e);
    }
  }

  /** Leaves the key out. */
  @Override
  public String toString() {
    return "MapKey";
  }
}
