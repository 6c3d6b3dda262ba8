package dev.pagetide.server.page;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Threads that start together, run to their end, and fail the test if one of them fails. */
public final class Crowd {
  private Crowd() {}

  /** What one thread of several does. */
  @FunctionalInterface
  public interface Member {
    void run(int index) throws Exception;
  }

  /** Runs {@code threads} threads of the same kind. */
  public static void run(int threads, Member member) throws InterruptedException {
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      members.add(member);
    }
    run(members);
  }

  /** Runs one thread for each member. */
  public static void run(List<Member> members) throws InterruptedException {
    CyclicBarrier start = new CyclicBarrier(members.size());
    try (ExecutorService threads = Executors.newFixedThreadPool(members.size())) {
      List<Callable<Boolean>> tasks = new ArrayList<>();
      for (int i = 0; i < members.size(); i++) {
        int index = i;
        tasks.add(() -> {
          start.await();
          members.get(index).run(index);
          return true;
        });
      }
      AssertionError failure = null;
      for (Future<Boolean> done : threads.invokeAll(tasks)) {
        try {
          done.get();
        } catch (ExecutionException e) {
          failure = failure == null ? new AssertionError("a thread failed", e) : failure;
        }
      }
      if (failure != null) {
        throw failure;
      }
    }
  }
}
