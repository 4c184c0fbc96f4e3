package caravan.model.train;

import org.apache.spark.Partitioner;

/** Slice i into partition i. */
final class SlicePartitioner extends Partitioner {
  private static final long serialVersionUID = 1;
  private final int slices;

  SlicePartitioner(int slices) {
    this.slices = slices;
  }

  @Override
  public int numPartitions() {
    return slices;
  }

  @Override
  public int getPartition(Object slice) {
    return (Integer) slice;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SlicePartitioner that && slices == that.slices;
  }

  @Override
  public int hashCode() {
    return slices;
  }
}
