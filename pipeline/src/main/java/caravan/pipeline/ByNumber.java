package caravan.pipeline;

import org.apache.spark.Partitioner;

/** Partitions whose numbers are the keys, from 0 to below their count. */
public final class ByNumber extends Partitioner {
  private static final long serialVersionUID = 1;
  private final int partitions;

  public ByNumber(int partitions) {
    this.partitions = partitions;
  }

  @Override
  public int numPartitions() {
    return partitions;
  }

  @Override
  public int getPartition(Object number) {
    return (Integer) number;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ByNumber same && same.partitions == partitions;
  }

  @Override
  public int hashCode() {
    return partitions;
  }
}
