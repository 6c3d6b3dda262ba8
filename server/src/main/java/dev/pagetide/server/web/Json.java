package dev.pagetide.server.web;

/** Writes one JSON text, from its first brace to its last. For one thread. */
final class Json {
  private final StringBuilder text = new StringBuilder(256);
  private boolean first = true;

  /** Begins an object, as a value. */
  Json object() {
    return open('{');
  }

  /** Begins an object, as a field. */
  Json object(String name) {
    return name(name).open('{');
  }

  /** Begins an array, as a field. */
  Json array(String name) {
    return name(name).open('[');
  }

  /** Ends an object. */
  Json endObject() {
    return close('}');
  }

  /** Ends an array. */
  Json endArray() {
    return close(']');
  }

  /** A field. */
  Json field(String name, long value) {
    name(name).text.append(value);
    return this;
  }

  /** A field. */
  Json field(String name, boolean value) {
    name(name).text.append(value);
    return this;
  }

  /** A field. */
  Json field(String name, String value) {
    return name(name).quoted(value);
  }

  /** A value in an array. */
  Json value(long value) {
    comma();
    text.append(value);
    return this;
  }

  private Json name(String name) {
    comma();
    quoted(name);
    text.append(':');
    return this;
  }

  private Json open(char brace) {
    if (!text.isEmpty() && text.charAt(text.length() - 1) != ':') {
      comma();
    }
    text.append(brace);
    first = true;
    return this;
  }

  private Json close(char brace) {
    text.append(brace);
    first = false;
    return this;
  }

  private void comma() {
    if (!first) {
      text.append(',');
    }
    first = false;
  }

  /** Everything that is not plain is escaped: the text fits into one line of an event. */
  private Json quoted(String value) {
    text.append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '"' || c == '\\') {
        text.append('\\').append(c);
      } else if (c < ' ' || c > '~' || c == '<') {
        text.append("\\u").append("%04x".formatted((int) c));
      } else {
        text.append(c);
      }
    }
    text.append('"');
    return this;
  }

  /** How long it is so far, in characters, all of them ASCII. */
  int length() {
    return text.length();
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
