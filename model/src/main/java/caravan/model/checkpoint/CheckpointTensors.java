package caravan.model.checkpoint;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;

/** The tensor files of a checkpoint, one by one, for code that has no model in one piece. */
public final class CheckpointTensors {
  public static final String MODEL = HuggingFaceWeights.FILE;
  public static final String OPTIMIZER = "caravan/optimizer.safetensors";
  public static final String OUTER = "caravan/outer.safetensors";

  /** Names of an optimizer's vectors in its file, in the order of its state. */
  static final List<String> MOMENTS = List.of("first_moment", "second_moment");

  static final String OUTER_MOMENTUM = "outer_momentum";

  private CheckpointTensors() {}

  /**
   * Writes {@link TrainedShape#file}.
   *
   * @param parameters in the order of the shape's layout
   */
  public static Directory.Fingerprint writeModel(
      String directory, Configuration hadoop, TrainedShape shape, FloatSource parameters) {
    return writeModel(Directory.of(directory, hadoop), shape, parameters);
  }

  static Directory.Fingerprint writeModel(
      Directory directory, TrainedShape shape, FloatSource parameters) {
    return shape.adapters() == null
        ? directory.write(
            shape.file(), out -> HuggingFaceWeights.write(out, shape.model(), parameters))
        : PeftFiles.writeWeights(directory, shape.adapterLayout(), parameters);
  }

  /**
   * Writes the optimizer's state.
   *
   * @param state its vectors one after the other
   * @param vectors how many there are
   * @param length of each
   */
  public static Directory.Fingerprint writeMoments(
      String directory, Configuration hadoop, FloatSource state, int vectors, long length) {
    List<SafeTensors.Source> sources = new ArrayList<>();
    for (int i = 0; i < vectors; i++) {
      sources.add(new SafeTensors.Source(MOMENTS.get(i), List.of(length), state, i * length));
    }
    return Directory.of(directory, hadoop)
        .write(OPTIMIZER, out -> SafeTensors.write(out, Map.of(), sources));
  }

  /** Writes the outer optimizer's velocity, one float per parameter. */
  public static Directory.Fingerprint writeOuter(
      String directory, Configuration hadoop, FloatSource momentum, long length) {
    List<SafeTensors.Source> sources =
        List.of(new SafeTensors.Source(OUTER_MOMENTUM, List.of(length), momentum, 0));
    return Directory.of(directory, hadoop)
        .write(OUTER, out -> SafeTensors.write(out, Map.of(), sources));
  }

  /**
   * Reads a checkpoint's parameters.
   *
   * @param parameters receives them, in the order of the shape's layout
   * @throws IllegalArgumentException when they are missing or of another shape
   */
  public static void readModel(
      String path, Configuration hadoop, TrainedShape shape, FloatPointer parameters) {
    Directory directory = Directory.of(path, hadoop);
    if (shape.adapters() == null) {
      HuggingFaceWeights.read(directory, shape.model(), unused -> WeightSink.into(parameters));
    } else {
      PeftFiles.read(directory, shape.adapterLayout(), parameters);
    }
  }

  /**
   * Reads the optimizer's state.
   *
   * @param state receives its vectors one after the other
   * @throws IllegalArgumentException when it is missing or of another shape
   */
  public static void readMoments(
      String directory, Configuration hadoop, FloatPointer state, int vectors, long length) {
    for (int i = 0; i < vectors; i++) {
      readVector(directory, hadoop, OPTIMIZER, MOMENTS.get(i), state, i * length, length);
    }
  }

  /** Whether a checkpoint holds an outer optimizer's velocity. */
  public static boolean hasOuter(String directory, Configuration hadoop) {
    return Directory.of(directory, hadoop).exists(OUTER);
  }

  /** Reads the outer optimizer's velocity. */
  public static void readOuter(
      String directory, Configuration hadoop, FloatPointer momentum, long length) {
    readVector(directory, hadoop, OUTER, OUTER_MOMENTUM, momentum, 0, length);
  }

  private static void readVector(
      String path,
      Configuration hadoop,
      String file,
      String name,
      FloatPointer target,
      long offset,
      long length) {
    Directory directory = Directory.of(path, hadoop);
    try (SafeTensors tensors = SafeTensors.open(directory, file)) {
      String next = "resume with the optimizer of the checkpoint, or train from it as checkpoint=";
      tensors.read(tensors.vector(name, length, next), target, offset);
    }
  }
}
