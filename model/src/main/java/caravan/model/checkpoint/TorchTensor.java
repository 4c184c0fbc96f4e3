package caravan.model.checkpoint;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A tensor as PyTorch saves it: a view into a storage that other tensors may share.
 *
 * @param offset its first element in the storage
 * @param strides elements from one index to the next, per dimension
 */
record TorchTensor(Storage storage, long offset, List<Long> shape, List<Long> strides) {

  /** Element types of storages; those without a name of ours cannot be weights. */
  enum Type {
    FloatStorage(4),
    HalfStorage(2),
    BFloat16Storage(2),
    DoubleStorage(8),
    LongStorage(8),
    IntStorage(4),
    ShortStorage(2),
    CharStorage(1),
    ByteStorage(1),
    BoolStorage(1);

    final int bytes;

    Type(int bytes) {
      this.bytes = bytes;
    }

    boolean isReadable() {
      return ordinal() <= BFloat16Storage.ordinal();
    }
  }

  /**
   * A storage, which is a file of its own in the archive.
   *
   * @param key its name there
   */
  record Storage(Type type, String key, long elements) {}

  TorchTensor {
    if (shape.size() != strides.size()
        || shape.stream().anyMatch(n -> n < 0)
        || strides.stream().anyMatch(n -> n < 0)
        || offset < 0) {
      throw new IllegalArgumentException(
          "a tensor of shape %s, strides %s and offset %d".formatted(shape, strides, offset));
    }
    long last = offset;
    long length = 1;
    try {
      for (int d = 0; d < shape.size(); d++) {
        length = Math.multiplyExact(length, shape.get(d));
        last =
            Math.addExact(last, Math.multiplyExact(Math.max(0, shape.get(d) - 1), strides.get(d)));
      }
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException("a tensor of the impossible shape " + shape, e);
    }
    if (length > 0 && (last >= storage.elements || length > storage.elements)) {
      throw new IllegalArgumentException(
          "a tensor of shape %s, strides %s and offset %d in storage %s of %d elements"
              .formatted(shape, strides, offset, storage.key, storage.elements));
    }
    shape = List.copyOf(shape);
    strides = List.copyOf(strides);
  }

  /** Number of elements. */
  long length() {
    return shape.stream().reduce(1L, (a, b) -> a * b);
  }

  /** Whether its elements lie in the storage one after the other, last dimension fastest. */
  boolean isContiguous() {
    return strides.equals(rowMajor()) || length() <= 1;
  }

  /** Strides of the same shape without gaps; dimensions of one element keep theirs. */
  List<Long> rowMajor() {
    List<Long> dense = new ArrayList<>(strides);
    long step = 1;
    for (int d = shape.size() - 1; d >= 0; d--) {
      if (shape.get(d) != 1) {
        dense.set(d, step);
        step *= shape.get(d);
      }
    }
    return dense;
  }

  /** Dimensions of more than one element, those that go farthest in the storage first. */
  List<Integer> storageOrder() {
    return IntStream.range(0, shape.size())
        .filter(d -> shape.get(d) > 1)
        .boxed()
        .sorted((a, b) -> Long.compare(strides.get(b), strides.get(a)))
        .toList();
  }
}
