package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.buffer.BufferRequest;
import dev.pagetide.server.page.PageFailure;

/**
 * Allocates a staged buffer in the endpoint's own range. The command holds nothing but that buffer.
 */
final class AllocateCommand implements BufferFill.Done {
  private final Endpoint endpoint;
  private final Completion completion;

  private AllocateCommand(Endpoint endpoint, Completion completion) {
    this.endpoint = endpoint;
    this.completion = completion;
  }

  static void begin(Endpoint endpoint, long size, boolean clearOnFree, Completion completion) {
    try {
      endpoint.requireAnswerable(completion.command());
      endpoint.requireBuffers("Allocate");
    } catch (RuntimeException e) {
      completion.failed(e);
      return;
    }
    EndpointRegistry endpoints = endpoint.endpoints();
    SessionEndpoint own = endpoint.sessionEndpoint();
    BufferRequest request =
        new BufferRequest(size, false, clearOnFree, endpoint.session().rangeId());
    BufferFill fill =
        new BufferFill(endpoints, own, request, null, new AllocateCommand(endpoint, completion));
    // It may need the space of buffers that were freed before.
    own.afterClearing(() -> endpoint.begin(fill, endpoints.config().allocationWaitNanos()));
  }

  @Override
  public void filled(Buffer buffer) {
    try {
      endpoint.sessionEndpoint().buffers().deliver(buffer);
    } catch (PageFailure.Closed e) {
      completion.failed(e);
      return;
    }
    completion.answered(new Event.Allocated(completion.command(), buffer.offset()));
  }

  @Override
  public void noRoom(Throwable why) {
    completion.failed(endpoint.reason(why));
  }

  @Override
  public void noPayload(Throwable why) {
    completion.failed(why);
  }

  @Override
  public void broken(Throwable why) {
    completion.failed(why);
  }
}
