package caravan.model.train;

import caravan.model.engine.TokenBatch;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Sequences as the data sets that DL4J feeds to a graph: ids and targets (marked where documents
 * begin that see nothing before them) as floats, exact below 2^24.
 */
final class Batches {
  private Batches() {}

  /** The sequences at positions [first, first + sequences) of the only slice. */
  static TokenBatch tokens(SequenceSource source, ReadingOrder order, long first, int sequences) {
    return tokens(source, order, 0, first, sequences);
  }

  /** The sequences at positions [first, first + sequences) of a worker's slices. */
  static TokenBatch tokens(
      SequenceSource source, ReadingOrder order, int slice, long first, int sequences) {
    int seq = source.sequenceLength();
    int[] ids = new int[sequences * seq];
    int[] targets = new int[ids.length];
    for (int row = 0; row < sequences; row++) {
      source.read(order.indexAt(slice, first + row), ids, targets, row * seq);
    }
    return TokenBatch.ofMarked(ids, targets, sequences, seq);
  }

  static MultiDataSet dataSet(TokenBatch batch) {
    return new MultiDataSet(floats(batch.ids(), batch), floats(batch.markedTargets(), batch));
  }

  /** {@code count} consecutive batches of the only slice, each read when it is asked for. */
  static Iterator<org.nd4j.linalg.dataset.api.MultiDataSet> iterator(
      SequenceSource source, ReadingOrder order, long first, int sequences, int count) {
    return iterator(source, order, 0, first, sequences, count);
  }

  /** The same of a worker's slices. */
  static Iterator<org.nd4j.linalg.dataset.api.MultiDataSet> iterator(
      SequenceSource source, ReadingOrder order, int slice, long first, int sequences, int count) {
    return LongStream.range(0, count)
        .<org.nd4j.linalg.dataset.api.MultiDataSet>mapToObj(
            i -> dataSet(tokens(source, order, slice, first + i * sequences, sequences)))
        .iterator();
  }

  /**
   * A round's batches, one partition per worker; each reads its own run of positions when its task
   * runs.
   *
   * @param position of all workers together, where the round begins
   */
  static JavaRDD<org.nd4j.linalg.dataset.api.MultiDataSet> ofWorkers(
      JavaSparkContext spark,
      TrainConfig config,
      SequenceSource source,
      ReadingOrder order,
      long position,
      int steps) {
    int workers = config.workers();
    int batch = config.workerSequences();
    List<Integer> numbers = IntStream.range(0, workers).boxed().collect(Collectors.toList());
    return spark
        .parallelize(numbers, workers)
        .mapPartitionsWithIndex(
            (worker, unused) -> iterator(source, order, worker, position / workers, batch, steps),
            true);
  }

  private static INDArray floats(int[] values, TokenBatch batch) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = values[i];
    }
    return Nd4j.createFromArray(floats).reshape(batch.batch(), batch.seq());
  }
}
