package caravan.model.checkpoint;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.AdapterWeights;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.checkpoint.CheckpointFolder.Part;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;

/** Opens whatever a user may point at as a checkpoint. */
public final class Checkpoints {
  private Checkpoints() {}

  /**
   * Opens a model without optimizer state: a Hugging Face directory, one checkpoint of a training
   * run, or a run's output directory, of which it takes the best checkpoint, or the newest where
   * none is marked best. Checksums are compared where there is a manifest.
   *
   * @throws IllegalArgumentException when there is no model, or it is damaged or not a Llama
   */
  public static Checkpoint open(String path, Configuration hadoop) {
    return open(path, hadoop, Optional.empty());
  }

  /**
   * As {@link #open(String, Configuration)}; adapters are merged into their base.
   *
   * @param base of adapters, where it lies elsewhere than they say
   */
  public static Checkpoint open(String path, Configuration hadoop, Optional<String> base) {
    return chosen(path, hadoop).read(Part.MODEL, base);
  }

  /**
   * As {@link #open(String, Configuration, Optional)}, without keeping its weights.
   *
   * @param weights makes what receives them
   * @throws IllegalArgumentException also when a weight is NaN or infinite, as all that open do
   */
  public static CheckpointHead read(
      String path,
      Configuration hadoop,
      Optional<String> base,
      Function<LlamaConfig, WeightSink> weights) {
    return chosen(path, hadoop).read(base, weights);
  }

  /**
   * The adapters of a checkpoint, unmerged and without optimizer state; empty where it holds a
   * whole model.
   *
   * @param base of the adapters, where it lies elsewhere than they say
   */
  public static Optional<Checkpoint> adapters(
      String path, Configuration hadoop, Optional<String> base) {
    CheckpointFolder folder = chosen(path, hadoop);
    return folder.isAdapter() ? Optional.of(folder.readAdapters(base)) : Optional.empty();
  }

  /**
   * Fresh adapters beside a checkpoint, to be trained.
   *
   * @param path where the base lies
   * @param whole its parameters, with rows for new ids where its vocabulary has grown
   * @param shape how it is to be read
   * @throws IllegalArgumentException when rows for new ids would not be trained
   */
  public static Checkpoint adapted(
      String path,
      Configuration hadoop,
      Checkpoint whole,
      LlamaConfig shape,
      LoraConfig lora,
      long seed) {
    CheckpointFolder folder = chosen(path, hadoop);
    AdapterLayout layout = new AdapterLayout(shape, lora);
    layout.requireBase(folder.config());
    return new Checkpoint(
        shape,
        whole.specialTokens(),
        AdapterWeights.start(layout, whole.parameters(), seed),
        Optional.empty(),
        Optional.empty(),
        Map.of(),
        whole.tokenizerFiles(),
        Optional.of(new Adaptation(lora, folder.absolutePath())));
  }

  /** The folder that a user means: checked where it has a manifest. */
  private static CheckpointFolder chosen(String path, Configuration hadoop) {
    Directory directory = Directory.of(path, hadoop);
    Optional<CheckpointStore> store = CheckpointStore.at(directory);
    if (store.isEmpty()) {
      return checked(directory, Part.MODEL);
    }
    var best = store.get().best();
    return best.isPresent()
        ? store.get().checked(best.getAsLong(), Part.MODEL)
        : store.get().newest(Part.MODEL).orElseThrow(() -> unfinished(path)).folder();
  }

  /**
   * Opens a checkpoint to go on training from: one checkpoint of a run, or a run's output
   * directory, of which it takes the newest.
   *
   * @throws IllegalArgumentException when it holds no optimizer state
   */
  public static Checkpoint resume(String path, Configuration hadoop) {
    Directory directory = Directory.of(path, hadoop);
    Optional<CheckpointStore> store = CheckpointStore.at(directory);
    Checkpoint checkpoint =
        store.isPresent()
            ? store.get().latest().orElseThrow(() -> unfinished(path)).checkpoint()
            : checked(directory, Part.TRAINING).read(Part.TRAINING);
    if (checkpoint.moments().isEmpty()) {
      checkpoint.close();
      throw new IllegalArgumentException(
          path
              + ": holds a model but no optimizer state to resume from; give it as checkpoint="
              + " instead, to train on from it with fresh moments");
    }
    return checkpoint;
  }

  /** Writes a model as a Hugging Face directory, without training state. */
  public static void export(String path, Configuration hadoop, Checkpoint checkpoint) {
    new CheckpointFolder(Directory.of(path, hadoop)).writeModel(checkpoint);
  }

  private static CheckpointFolder checked(Directory directory, Part part) {
    CheckpointFolder folder = new CheckpointFolder(directory);
    if (folder.isOurs()) {
      folder
          .damage(part)
          .ifPresent(
              damage -> {
                throw new IllegalArgumentException(damage + "; choose another checkpoint");
              });
    } else if (!folder.isModel()) {
      throw new IllegalArgumentException(
          directory.path()
              + (directory.exists()
                  ? ": no config.json and no adapter_config.json in it"
                  : " does not exist")
              + ", wanted a Hugging Face model directory, a checkpoint, or the output of pretrain"
              + " or sft");
    }
    return folder;
  }

  private static IllegalArgumentException unfinished(String path) {
    return new IllegalArgumentException(
        path + ": training has not finished its first checkpoint; run it again");
  }
}
