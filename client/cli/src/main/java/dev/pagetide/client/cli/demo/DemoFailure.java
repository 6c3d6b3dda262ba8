package dev.pagetide.client.cli.demo;

/** A step of the demo did not show what it must show. */
final class DemoFailure extends RuntimeException {

  private static final long serialVersionUID = 1;

  DemoFailure(String sentence) {
    super(sentence);
  }

  DemoFailure(String sentence, Throwable cause) {
    super(sentence, cause);
  }
}
