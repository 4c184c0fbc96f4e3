package caravan.model.train;

import caravan.model.engine.TokenBatch;

/**
 * Sequences that count upwards in steps of their own; every third one has no loss on its first
 * half.
 */
record PatternSource(int sequenceLength, long size, int vocabSize, boolean masked)
    implements SequenceSource {
  @Override
  public void read(long index, int[] ids, int[] targets, int at) {
    int stride = 1 + (int) (index % 3);
    for (int t = 0; t < sequenceLength; t++) {
      ids[at + t] = (int) ((index + (long) t * stride) % vocabSize);
      int next = (int) ((index + (t + 1L) * stride) % vocabSize);
      targets[at + t] =
          masked && index % 3 == 0 && t < sequenceLength / 2 ? TokenBatch.IGNORED : next;
    }
  }
}
