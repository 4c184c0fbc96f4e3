package caravan.model.engine;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * A fixed number of threads that run the same code on different slices and meet at barriers. Who
 * does what depends on the thread's number alone, so results repeat bit for bit. Nothing is
 * allocated per run.
 */
public final class Team implements AutoCloseable {
  private static final int SPINS = 50_000;

  /** Between runs: another processor's work shall not wait for ours long. */
  private static final int IDLE_SPINS = 1_000;

  private static final long NAP_NANOS = 20_000;
  private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(30);

  private final int size;
  private final Other[] others;
  private final AtomicInteger arrived = new AtomicInteger();
  private final AtomicInteger running = new AtomicInteger();
  private volatile int generation;
  private volatile Throwable failure;
  private volatile Thread caller;
  private volatile boolean closed;
  private IntConsumer work;

  /**
   * @throws IllegalArgumentException when it is to have no member
   */
  public Team(int size) {
    if (size < 1) {
      throw new IllegalArgumentException(
          "engine threads: got " + size + ", wanted at least 1; set train.threads");
    }
    this.size = size;
    this.others = new Other[size - 1];
    for (int i = 0; i < others.length; i++) {
      others[i] = new Other(i + 1);
    }
  }

  public int size() {
    return size;
  }

  /** Runs {@code work} once per member (0 is the calling thread) and waits for all of them. */
  public void run(IntConsumer job) {
    if (size == 1) {
      job.accept(0);
      return;
    }
    failure = null;
    arrived.set(0);
    caller = Thread.currentThread();
    work = job;
    running.set(size - 1);
    for (Other other : others) {
      other.call();
    }
    guarded(job, 0);
    for (int spin = 0; running.get() > 0; spin++) {
      pause(spin);
    }
    caller = null;
    work = null;
    if (failure != null) {
      throw new IllegalStateException("engine thread failed: " + failure, failure);
    }
  }

  private void guarded(IntConsumer job, int member) {
    try {
      job.accept(member);
    } catch (Throwable t) {
      if (failure == null) {
        failure = t;
      }
    }
  }

  /** Waits until every member has come here. What they wrote before is visible after. */
  public void barrier() {
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

  /**
   * A member with a thread of its own. The thread ends when nothing has been asked of it for a
   * while, so that an engine nobody closed can still be collected; the next call starts another.
   */
  private final class Other implements Runnable {
    private static final int ENDED = 0;
    private static final int WAITING = 1;
    private static final int CALLED = 2;

    private final int member;
    private final AtomicInteger state = new AtomicInteger(ENDED);
    private Thread thread;

    Other(int member) {
      this.member = member;
    }

    void call() {
      if (state.getAndSet(CALLED) == ENDED) {
        thread = new Thread(this, "llama-engine");
        thread.setDaemon(true);
        thread.start();
      } else {
        LockSupport.unpark(thread);
      }
    }

    @Override
    public void run() {
      do {
        guarded(work, member);
        // Before the caller can know that all is done and call again.
        state.set(WAITING);
        if (running.decrementAndGet() == 0) {
          LockSupport.unpark(caller);
        }
      } while (isCalled());
    }

    /** Waits for the next call, or for the end. */
    private boolean isCalled() {
      for (int spin = 0; spin < IDLE_SPINS && state.get() == WAITING; spin++) {
        Thread.onSpinWait();
      }
      long since = System.nanoTime();
      while (state.get() == WAITING) {
        long left = IDLE_NANOS - (System.nanoTime() - since);
        if ((closed || left <= 0) && state.compareAndSet(WAITING, ENDED)) {
          return false;
        }
        LockSupport.parkNanos(Math.max(1, left));
      }
      return true;
    }
  }

  @Override
  public void close() {
    closed = true;
    for (Other other : others) {
      LockSupport.unpark(other.thread);
    }
  }
}
