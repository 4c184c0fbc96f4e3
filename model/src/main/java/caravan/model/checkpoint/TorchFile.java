package caravan.model.checkpoint;

import caravan.model.checkpoint.StoredZip.Extent;
import caravan.model.checkpoint.TorchTensor.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.FSDataInputStream;

/**
 * A file of {@code torch.save}, open for reading: a zip archive of one pickle that describes the
 * tensors and one file per storage. The pickle is read as data (see {@link Pickle}): nothing in it
 * is executed. Tensors are read from their places in the archive, one piece at a time.
 *
 * <p>The format of PyTorch before 1.6 (several pickles one after the other), its tar archives and
 * TorchScript's programs are refused.
 */
final class TorchFile implements TensorFile {
  /** Hundreds of bytes tell a tensor; a 70B model has 723 of them. */
  private static final int MAX_PICKLE_BYTES = 64 << 20;

  /** What every file before 1.6 begins with: protocol 2 and a magic number as pickle. */
  private static final byte[] LEGACY = {(byte) 0x80, 2, (byte) 0x8a, 10, 0x6c, (byte) 0xfc};

  private final String path;
  private final FSDataInputStream in;
  private final String root;
  private final Map<String, Extent> files;
  private final Object value;
  private Map<String, TorchTensor> tensors = Map.of();

  private TorchFile(
      String path, FSDataInputStream in, String root, Map<String, Extent> files, Object value) {
    this.path = path;
    this.in = in;
    this.root = root;
    this.files = files;
    this.value = value;
  }

  /** Whether a file begins as a zip archive does. */
  static boolean isZip(Directory directory, String file) {
    if (!directory.exists(file) || directory.size(file) < Integer.BYTES) {
      return false;
    }
    try (FSDataInputStream in = directory.open(file)) {
      return Integer.reverseBytes(in.readInt()) == StoredZip.MAGIC;
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot read " + directory.path(file) + ": " + e.getMessage(), e);
    }
  }

  /**
   * Opens a file whose whole value is a state dict.
   *
   * @throws IllegalArgumentException when it is missing, truncated, none of PyTorch's, or its
   *     pickle names anything but tensors and plain values
   */
  static TorchFile openStateDict(Directory directory, String file) {
    TorchFile opened = open(directory, file);
    try {
      opened.tensors = opened.tensors(opened.value, "");
      return opened;
    } catch (RuntimeException e) {
      opened.close();
      throw e;
    }
  }

  /** Opens a file without knowing yet where in its value the tensors are. */
  static TorchFile open(Directory directory, String file) {
    String path = directory.path(file);
    long size = directory.size(file);
    FSDataInputStream in = directory.open(file);
    try {
      refuseOlder(path, in, size);
      Map<String, Extent> files = StoredZip.entries(path, in, size);
      String root = root(path, files);
      Extent pickle = files.get(root + "data.pkl");
      if (pickle.length() > MAX_PICKLE_BYTES) {
        throw new IllegalArgumentException(
            "%s: data.pkl has %,d bytes, wanted at most %,d: the description of tensors"
                .formatted(path, pickle.length(), MAX_PICKLE_BYTES));
      }
      refuseBigEndian(path, files.get(root + "byteorder"), in);
      byte[] bytes = bytes(in, pickle);
      Object value = Pickle.read(bytes, path + ": data.pkl", new TorchObjects(path));
      return new TorchFile(path, in, root, files, value);
    } catch (IOException e) {
      close(in);
      throw new UncheckedIOException("cannot read " + path + ": " + e.getMessage(), e);
    } catch (RuntimeException e) {
      close(in);
      throw e;
    }
  }

  private static void refuseOlder(String path, FSDataInputStream in, long size) throws IOException {
    byte[] start = bytes(in, new Extent(0, Math.min(size, 512)));
    boolean legacy =
        start.length > LEGACY.length && ByteBuffer.wrap(LEGACY).equals(head(start, LEGACY.length));
    boolean tar =
        start.length == 512 && new String(start, 257, 5, StandardCharsets.US_ASCII).equals("ustar");
    if (legacy || tar) {
      throw new IllegalArgumentException(
          path
              + ": written by PyTorch before 1.6 (or with _use_new_zipfile_serialization=False),"
              + " wanted its zip format; load it there with weights_only=True and torch.save it"
              + " again");
    }
    if (start.length < 4
        || head(start, 4).order(ByteOrder.LITTLE_ENDIAN).getInt() != StoredZip.MAGIC) {
      throw new IllegalArgumentException(
          path + ": not a file of torch.save, which is a zip archive");
    }
  }

  private static ByteBuffer head(byte[] bytes, int length) {
    return ByteBuffer.wrap(bytes, 0, length);
  }

  private static String root(String path, Map<String, Extent> files) {
    List<String> pickles =
        files.keySet().stream().filter(n -> n.matches("([^/]+/)?data\\.pkl")).toList();
    if (pickles.size() != 1) {
      throw new IllegalArgumentException(
          path + ": a zip archive with " + pickles.size() + " files data.pkl, wanted torch.save's");
    }
    String root = pickles.get(0).substring(0, pickles.get(0).length() - "data.pkl".length());
    if (files.containsKey(root + "constants.pkl")) {
      throw new IllegalArgumentException(
          path + ": a TorchScript program, wanted a state dict: torch.save(model.state_dict(), …)");
    }
    return root;
  }

  private static void refuseBigEndian(String path, Extent byteOrder, FSDataInputStream in)
      throws IOException {
    if (byteOrder == null || byteOrder.length() > 16) {
      return;
    }
    String order = new String(bytes(in, byteOrder), StandardCharsets.US_ASCII);
    if (!order.equals("little")) {
      throw new IllegalArgumentException(path + ": byte order " + order + ", wanted little");
    }
  }

  private static byte[] bytes(FSDataInputStream in, Extent extent) throws IOException {
    byte[] bytes = new byte[(int) extent.length()];
    in.readFully(extent.begin(), bytes);
    return bytes;
  }

  /** What the pickle holds: plain values and {@link TorchTensor}s. */
  Object value() {
    return value;
  }

  /** Takes a state dict among the file's values as its tensors. */
  void useTensors(Object stateDict, String prefix) {
    tensors = tensors(stateDict, prefix);
  }

  private Map<String, TorchTensor> tensors(Object stateDict, String prefix) {
    if (!(stateDict instanceof Map<?, ?> map)) {
      throw new IllegalArgumentException(
          path + ": holds " + Pickle.kind(stateDict) + ", wanted a state dict of tensors");
    }
    Set<Storage> checked = new HashSet<>();
    Map<String, TorchTensor> named = new LinkedHashMap<>();
    map.forEach(
        (key, entry) -> {
          if (!(key instanceof String name) || !(entry instanceof TorchTensor tensor)) {
            throw new IllegalArgumentException(
                "%s: %s is %s, wanted a state dict of tensors only"
                    .formatted(path, key, Pickle.kind(entry)));
          }
          String bare = name.startsWith(prefix) ? name.substring(prefix.length()) : name;
          if (checked.add(tensor.storage())) {
            requireWhole(bare, tensor.storage());
          }
          if (named.put(bare, tensor) != null) {
            throw new IllegalArgumentException(path + ": two tensors are named " + bare);
          }
        });
    return named;
  }

  private void requireWhole(String name, Storage storage) {
    Extent extent = files.get(root + "data/" + storage.key());
    if (extent == null || extent.length() / storage.type().bytes != storage.elements()) {
      throw new IllegalArgumentException(
          "%s: tensor %s: storage %s %s, wanted %d elements of %d bytes"
              .formatted(
                  path,
                  name,
                  storage.key(),
                  extent == null ? "is missing" : "has " + extent.length() + " bytes",
                  storage.elements(),
                  storage.type().bytes));
    }
  }

  @Override
  public String path() {
    return path;
  }

  Map<String, TorchTensor> tensors() {
    return tensors;
  }

  @Override
  public Map<String, List<Long>> shapes() {
    Map<String, List<Long>> shapes = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    return shapes;
  }

  @Override
  public void read(String name, WeightSink target, long offset) {
    TorchTensor tensor = readable(name);
    String where = path + ": tensor " + name;
    new TorchRuns(in, files.get(root + "data/" + tensor.storage().key()).begin(), tensor)
        .read(where, FiniteWeights.guard(where, tensor.shape(), offset, target), offset);
  }

  private TorchTensor readable(String name) {
    TorchTensor tensor = tensors.get(name);
    if (!tensor.storage().type().isReadable()) {
      throw new IllegalArgumentException(
          "%s: tensor %s is of a %s, wanted Float, Half or BFloat16"
              .formatted(path, name, tensor.storage().type()));
    }
    return tensor;
  }

  @Override
  public void close() {
    close(in);
  }

  private static void close(FSDataInputStream in) {
    try {
      in.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
