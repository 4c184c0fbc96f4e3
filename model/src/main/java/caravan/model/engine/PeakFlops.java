package caravan.model.engine;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.FloatPointer;

/**
 * What matrix products of this machine's BLAS reach in fp32, measured once per JVM: the peak that a
 * training step's speed is compared with.
 */
public final class PeakFlops {
  /** Rows and columns: large enough for BLAS to be at its best, 2.4 ms on a core of 100 GFLOP/s. */
  private static final int SIZE = 496;

  private static final int ROUNDS = 5;
  private static final int PRODUCTS = 4;
  private static final Map<Integer, Double> MEASURED = new ConcurrentHashMap<>();

  private PeakFlops() {}

  /** Floating-point operations per second of so many threads, the best of a few rounds. */
  public static double measured(int threads) {
    return MEASURED.computeIfAbsent(threads, PeakFlops::measure);
  }

  private static double measure(int threads) {
    long square = (long) SIZE * SIZE;
    double best = 0;
    BlasThreads.acquire();
    try (Team team = new Team(threads);
        FloatPointer matrices = new FloatPointer(3 * square * threads)) {
      for (long i = 0; i < matrices.capacity(); i++) {
        matrices.put(i, i % 7);
      }
      for (int round = 0; round < ROUNDS; round++) {
        long start = System.nanoTime();
        team.run(member -> multiply(matrices.address() + 3 * square * Float.BYTES * member));
        double operations = 2.0 * SIZE * square * PRODUCTS * threads;
        best = Math.max(best, operations * 1e9 / (System.nanoTime() - start));
      }
    } finally {
      BlasThreads.release();
    }
    return best;
  }

  private static void multiply(long address) {
    long bytes = (long) SIZE * SIZE * Float.BYTES;
    Gemm gemm = new Gemm();
    for (int i = 0; i < PRODUCTS; i++) {
      gemm.times(
          SIZE, SIZE, SIZE, 1, address, SIZE, address + bytes, SIZE, 0, address + 2 * bytes, SIZE);
    }
  }
}
