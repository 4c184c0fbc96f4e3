package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.checkpoint.CheckpointFolder.Part;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoints of one training run: {@code OUTPUT/checkpoints/step-00000400/} and so on, with
 * the small files {@code latest} and {@code best} beside them naming one each.
 *
 * <p>A checkpoint counts once its manifest is written, and the newest one that counts is where
 * training goes on: {@code latest} is for people and other programs. One writer at a time.
 */
public final class CheckpointStore {

  /** A whole checkpoint that was found; its vectors are read when they are asked for. */
  public static final class Found {
    private final long step;
    private final CheckpointFolder folder;
    private final Part part;
    private final List<String> skipped;

    private Found(long step, CheckpointFolder folder, Part part, List<String> skipped) {
      this.step = step;
      this.folder = folder;
      this.part = part;
      this.skipped = List.copyOf(skipped);
    }

    public long step() {
      return step;
    }

    public String path() {
      return folder.path();
    }

    /** The output of the training that it is of: where its {@code checkpoints/} lies. */
    public String output() {
      return folder.output();
    }

    /** Newer checkpoints passed over, and what is wrong with each. */
    public List<String> skipped() {
      return skipped;
    }

    /** Shape of its model. */
    public LlamaConfig model() {
      return folder.config();
    }

    /** Content of its state.json. */
    public Map<String, Object> state() {
      return folder.state();
    }

    CheckpointFolder folder() {
      return folder;
    }

    /** Reads all of it into memory; the caller closes it. */
    public Checkpoint checkpoint() {
      return folder.read(part);
    }
  }

  private static final Logger log = LoggerFactory.getLogger(CheckpointStore.class);
  private static final String CHECKPOINTS = "checkpoints";
  private static final Pattern STEP = Pattern.compile("step-(\\d{8,18})");

  private final Directory checkpoints;
  private final StepPointer latest;
  private final StepPointer best;

  /**
   * @param output the training run's output directory, the one that holds {@code checkpoints/}
   */
  public CheckpointStore(String output, Configuration hadoop) {
    this(Directory.of(output, hadoop).child(CHECKPOINTS));
  }

  private CheckpointStore(Directory checkpoints) {
    this.checkpoints = checkpoints;
    latest = new StepPointer(checkpoints, "latest");
    best = new StepPointer(checkpoints, "best");
  }

  /** The store at or under a directory: the output directory, or its {@code checkpoints}. */
  static Optional<CheckpointStore> at(Directory directory) {
    return List.of(directory.child(CHECKPOINTS), directory).stream()
        .filter(d -> d.list().stream().anyMatch(name -> STEP.matcher(name).matches()))
        .map(CheckpointStore::new)
        .findFirst();
  }

  /**
   * Writes a checkpoint, replacing one of the same step.
   *
   * @return its path
   */
  public String save(long step, Checkpoint checkpoint) {
    CheckpointFolder folder = folder(step);
    folder.write(step, checkpoint);
    latest.set(step);
    return folder.path();
  }

  /**
   * Finds a checkpoint to go on from: {@code path} itself, or the newest of a training run.
   *
   * @throws IllegalArgumentException when there is none, or it is damaged
   */
  public static Found find(String path, Configuration hadoop) {
    Directory directory = Directory.of(path, hadoop);
    Optional<CheckpointStore> store = at(directory);
    if (store.isPresent()) {
      return store
          .get()
          .latest()
          .orElseThrow(
              () ->
                  new IllegalArgumentException(
                      path + ": no finished checkpoint to resume from; give another path"));
    }
    CheckpointFolder folder = new CheckpointFolder(directory);
    folder
        .damage(Part.TRAINING)
        .ifPresent(
            damage -> {
              throw new IllegalArgumentException("cannot resume: " + damage);
            });
    return new Found(folder.step(), folder, Part.TRAINING, List.of());
  }

  /** Whether a checkpoint is one of these. */
  public boolean holds(Found found) {
    return folder(found.step()).isSame(found.folder);
  }

  /**
   * Makes {@code latest} and {@code best} name what a training that goes on takes for them.
   *
   * @param bestStep of the best checkpoint; empty when there is none
   */
  public void pointTo(long newestStep, OptionalLong bestStep) {
    latest.set(newestStep);
    if (bestStep.isPresent() && folder(bestStep.getAsLong()).isCommitted()) {
      best.set(bestStep.getAsLong());
    } else {
      best.delete();
    }
  }

  /**
   * Writes a checkpoint whose tensors lie elsewhere, replacing one of the same step.
   *
   * @return its path
   */
  public String save(long step, CheckpointHead head, TensorFiles tensors) {
    CheckpointFolder folder = folder(step);
    folder.write(step, head, tensors);
    latest.set(step);
    return folder.path();
  }

  /** Makes {@code best} name this step, which pruning then spares. */
  public void markBest(long step) {
    if (!folder(step).isCommitted()) {
      throw new IllegalArgumentException(
          "cannot mark " + folder(step).path() + " as best: it is not a finished checkpoint");
    }
    best.set(step);
  }

  /** The step that {@code best} names. */
  public OptionalLong best() {
    return best.step();
  }

  /** Steps with a finished checkpoint, ascending. */
  public List<Long> steps() {
    return allSteps().stream().filter(step -> folder(step).isCommitted()).toList();
  }

  /**
   * Finds the newest undamaged checkpoint with its optimizer state. Damaged ones are passed over
   * with a warning and named in the result.
   *
   * @return empty when no training has been saved here
   * @throws IllegalStateException when there are finished checkpoints and all are damaged
   */
  public Optional<Found> latest() {
    return newest(Part.TRAINING);
  }

  Optional<Found> newest(Part part) {
    var skipped = new ArrayList<String>();
    List<Long> newestFirst = steps().stream().sorted(Comparator.reverseOrder()).toList();
    for (long step : newestFirst) {
      CheckpointFolder folder = folder(step);
      Optional<String> damage = folder.damage(part);
      if (damage.isEmpty()) {
        return Optional.of(new Found(step, folder, part, skipped));
      }
      log.warn("damaged checkpoint passed over: {}", damage.get());
      skipped.add(damage.get());
    }
    if (!skipped.isEmpty()) {
      throw new IllegalStateException(
          "every checkpoint in "
              + checkpoints.path()
              + " is damaged: "
              + String.join("; ", skipped)
              + "; restore one or train again from the start");
    }
    return Optional.empty();
  }

  /**
   * Loads one step's checkpoint with its optimizer state.
   *
   * @throws IllegalArgumentException when it is missing, unfinished or damaged
   */
  public Checkpoint load(long step) {
    return load(step, Part.TRAINING);
  }

  Checkpoint load(long step, Part part) {
    return checked(step, part).read(part);
  }

  /** A step's folder, its files compared with its manifest. */
  CheckpointFolder checked(long step, Part part) {
    CheckpointFolder folder = folder(step);
    folder
        .damage(part)
        .ifPresent(
            damage -> {
              throw new IllegalArgumentException(
                  damage + "; finished checkpoints are of steps " + steps());
            });
    return folder;
  }

  /** Where a step's checkpoint lies. */
  public String path(long step) {
    return folder(step).path();
  }

  /**
   * Deletes all but the newest checkpoints, the best one and those that stay for good, and what
   * interrupted runs left behind.
   *
   * @param newest step of the checkpoint that was written last; later ones are of a curve that was
   *     given up, and go too
   * @param keepLast how many to keep, at least 1
   * @param keepEvery steps of which the first checkpoint at or past each multiple stays for good; 0
   *     for none
   * @return steps that were deleted
   */
  public List<Long> prune(long newest, int keepLast, int keepEvery) {
    List<Long> finished = steps().stream().filter(step -> step <= newest).toList();
    Set<Long> kept = new Retention(keepLast, keepEvery).kept(finished);
    best().ifPresent(kept::add);
    List<Long> surplus = allSteps().stream().filter(step -> !kept.contains(step)).toList();
    surplus.forEach(step -> folder(step).delete());
    return surplus;
  }

  /**
   * Deletes every checkpoint: a training that starts over must not be taken for the earlier one.
   */
  public void clear() {
    latest.delete();
    best.delete();
    allSteps().forEach(step -> folder(step).delete());
  }

  private List<Long> allSteps() {
    return checkpoints.list().stream()
        .map(CheckpointStore::step)
        .flatMap(step -> step.stream().boxed())
        .sorted()
        .toList();
  }

  /** The step of a checkpoint's name; empty for other names. */
  static OptionalLong step(String name) {
    Matcher matcher = STEP.matcher(name);
    return matcher.matches()
        ? OptionalLong.of(Long.parseLong(matcher.group(1)))
        : OptionalLong.empty();
  }

  private CheckpointFolder folder(long step) {
    return new CheckpointFolder(checkpoints.child(name(step)));
  }

  static String name(long step) {
    if (step < 0) {
      throw new IllegalArgumentException("checkpoint step: got " + step + ", wanted at least 0");
    }
    return String.format("step-%08d", step);
  }
}
