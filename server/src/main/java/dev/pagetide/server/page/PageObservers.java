package dev.pagetide.server.page;

import dev.pagetide.server.budget.MemoryRefusal;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.budget.WaitOutcome;
import java.util.List;
import java.util.function.Consumer;

/** Several observers as one. */
record PageObservers(List<PageObserver> told) implements PageObserver {
  private void tell(Consumer<PageObserver> what) {
    told.forEach(what);
  }

  @Override
  public void allocated(int pages, long nanos) {
    tell(observer -> observer.allocated(pages, nanos));
  }

  @Override
  public void punched(int pages, long nanos) {
    tell(observer -> observer.punched(pages, nanos));
  }

  @Override
  public void punchedRun(int pages) {
    tell(observer -> observer.punchedRun(pages));
  }

  @Override
  public void scanned(ReclaimTrigger trigger, ScanResult result, long nanos) {
    tell(observer -> observer.scanned(trigger, result, nanos));
  }

  @Override
  public void swept(long nanos) {
    tell(observer -> observer.swept(nanos));
  }

  @Override
  public void closed(int pages) {
    tell(observer -> observer.closed(pages));
  }

  @Override
  public void lockWaited(long nanos) {
    tell(observer -> observer.lockWaited(nanos));
  }

  @Override
  public void waited(WaitOutcome outcome, long nanos) {
    tell(observer -> observer.waited(outcome, nanos));
  }

  @Override
  public void refused(MemoryRefusal refusal) {
    tell(observer -> observer.refused(refusal));
  }
}
