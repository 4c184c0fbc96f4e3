package caravan.model.engine;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * A fixed number of threads that run the same code on different slices and meet at barriers. Who
 * does what depends on the thread's number alone, so results repeat bit for bit.
 */
final class Team implements AutoCloseable {
  private static final int SPINS = 50_000;
  private static final long NAP_NANOS = 20_000;
  private static final long IDLE_SECONDS = 30;

  private final int size;
  private final ExecutorService others;
  private final AtomicInteger arrived = new AtomicInteger();
  private final AtomicInteger running = new AtomicInteger();
  private volatile int generation;
  private volatile Throwable failure;
  private volatile Thread caller;

  Team(int size) {
    if (size < 1) {
      throw new IllegalArgumentException(
          "engine threads: got " + size + ", wanted at least 1; set train.threads");
    }
    this.size = size;
    this.others = size == 1 ? null : threads(size - 1);
  }

  /** Idle threads end by themselves, so that an engine nobody closed can still be collected. */
  private static ExecutorService threads(int count) {
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            count,
            count,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> {
              Thread thread = new Thread(task, "llama-engine");
              thread.setDaemon(true);
              return thread;
            });
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  int size() {
    return size;
  }

  /** Runs {@code work} once per member (0 is the calling thread) and waits for all of them. */
  void run(IntConsumer work) {
    if (size == 1) {
      work.accept(0);
      return;
    }
    failure = null;
    arrived.set(0);
    caller = Thread.currentThread();
    running.set(size - 1);
    for (int i = 1; i < size; i++) {
      int member = i;
      others.execute(
          () -> {
            guarded(work, member);
            if (running.decrementAndGet() == 0) {
              LockSupport.unpark(caller);
            }
          });
    }
    guarded(work, 0);
    for (int spin = 0; running.get() > 0; spin++) {
      pause(spin);
    }
    caller = null;
    if (failure != null) {
      throw new IllegalStateException("engine thread failed: " + failure, failure);
    }
  }

  private void guarded(IntConsumer work, int member) {
    try {
      work.accept(member);
    } catch (Throwable t) {
      if (failure == null) {
        failure = t;
      }
    }
  }

  /** Waits until every member has come here. What they wrote before is visible after. */
  void barrier() {
    if (size == 1) {
      return;
    }
    int current = generation;
    if (arrived.incrementAndGet() == size) {
      arrived.set(0);
      generation = current + 1;
      return;
    }
    for (int spin = 0; generation == current; spin++) {
      if (failure != null) {
        throw new IllegalStateException("stopped because another engine thread failed");
      }
      pause(spin);
    }
  }

  private static void pause(int spin) {
    if (spin < SPINS) {
      Thread.onSpinWait();
    } else {
      LockSupport.parkNanos(NAP_NANOS);
    }
  }

  @Override
  public void close() {
    if (others != null) {
      others.shutdown();
    }
  }
}
