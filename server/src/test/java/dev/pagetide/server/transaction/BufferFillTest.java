package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.buffer.BufferRequest;
import dev.pagetide.server.transaction.TransactionScene.Step;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A fill that has ended keeps no payload, because its endpoint keeps the fill until the next. */
final class BufferFillTest {
  private final TransactionScene scene = new TransactionScene();
  private final Ends ends = new Ends();

  /** How a fill ended. */
  private static final class Ends implements BufferFill.Done {
    private final List<String> calls = new ArrayList<>();

    @Override
    public void filled(Buffer buffer) {
      calls.add("filled");
    }

    @Override
    public void noRoom(Throwable why) {
      calls.add("noRoom");
    }

    @Override
    public void noPayload(Throwable why) {
      calls.add("noPayload");
    }

    @Override
    public void broken(Throwable why) {
      calls.add("broken");
    }
  }

  @AfterEach
  void close() {
    scene.close();
  }

  private BufferFill fill(long size) {
    return new BufferFill(
        scene.alice.endpoints(),
        scene.bob.sessionEndpoint(),
        new BufferRequest(size, false, false, 1),
        new BufferFill.Source(TransactionScene.payload(), scene.alice.session().range()),
        ends);
  }

  private static @Nullable Object source(BufferFill fill) throws ReflectiveOperationException {
    Field source = BufferFill.class.getDeclaredField("source");
    source.setAccessible(true);
    return source.get(fill);
  }

  private void endsWithoutPayload(BufferFill fill, String end) throws Exception {
    assertThat(source(fill)).as("until it starts").isNotNull();

    fill.start(0);
    scene.work();

    assertThat(ends.calls).containsExactly(end);
    assertThat(source(fill)).isNull();
  }

  @Test
  void start_everyStepSucceeds_keepsNoPayload() throws Exception {
    endsWithoutPayload(fill(TransactionScene.SIZE), "filled");
  }

  @Test
  void start_noSpace_keepsNoPayload() throws Exception {
    endsWithoutPayload(fill(2 << 20), "noRoom");
  }

  @Test
  void start_noWorker_keepsNoPayload() throws Exception {
    scene.failNext(Step.FIND_WORKER);

    endsWithoutPayload(fill(TransactionScene.SIZE), "noRoom");
  }

  @Test
  void start_rangeEndsMeanwhile_keepsNoPayload() throws Exception {
    BufferFill fill = fill(TransactionScene.SIZE);
    fill.start(0);
    scene.bob.session().range().close();

    scene.work();

    assertThat(ends.calls).containsExactly("noRoom");
    assertThat(source(fill)).isNull();
  }
}
