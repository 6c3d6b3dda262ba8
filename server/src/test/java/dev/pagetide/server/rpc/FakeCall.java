package dev.pagetide.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;

/**
 * A call whose client has not gone and takes everything. It forgets what it is told; a test
 * overrides what it asks about.
 */
class FakeCall<T> extends ServerCallStreamObserver<T> {
  @Override
  public void onNext(T message) {}

  @Override
  public void onError(Throwable why) {}

  @Override
  public void onCompleted() {}

  @Override
  public boolean isCancelled() {
    return false;
  }

  @Override
  public void setOnCancelHandler(Runnable handler) {}

  @Override
  public void setOnCloseHandler(Runnable handler) {}

  @Override
  public void setCompression(String compression) {}

  @Override
  public boolean isReady() {
    return true;
  }

  @Override
  public void setOnReadyHandler(Runnable handler) {}

  @Override
  public void disableAutoInboundFlowControl() {}

  @Override
  public void disableAutoRequest() {}

  @Override
  public void request(int count) {}

  @Override
  public void setMessageCompression(boolean enabled) {}
}
