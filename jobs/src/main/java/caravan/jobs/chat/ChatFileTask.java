package caravan.jobs.chat;

import caravan.model.sft.MaskedExample;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.tokenize.Tokenizer;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.LongStream;
import net.openhft.hashing.LongHashFunction;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.util.SerializableConfiguration;

/**
 * One Spark task: one input file into sequences of both splits, and the records that cannot be used
 * aside. Gives a {@link Done} in JSON.
 */
final class ChatFileTask implements Function<ChatFileTask.File, String> {
  private static final long serialVersionUID = 1;
  private static final int EXAMPLES = 3;

  /**
   * @param number place among all input files
   * @param name relative to the input root
   */
  record File(int number, String path, String name) implements Serializable {}

  /**
   * @param counts records, conversations, truncated, dropped, {@code dropped.REASON}, trainTokens …
   * @param examples a few dropped records in words
   * @param heldOut hashes of the conversations of a file that is held out as a whole
   */
  record Done(
      List<ChatSequenceWriter.Written> shards,
      List<Manifest.OutputFile> files,
      Map<String, Long> counts,
      List<String> examples,
      long[] heldOut) {}

  private final SerializableConfiguration hadoop;
  private final String directory;
  private final Tokenizer tokenizer;
  private final SequenceLayout layout;
  private final double validationFraction;
  private final long seed;

  /** Sorted hashes of conversations that are not trained on; eight bytes of the driver's each. */
  private final long[] withheld;

  ChatFileTask(
      SerializableConfiguration hadoop,
      String directory,
      Tokenizer tokenizer,
      SequenceLayout layout,
      double validationFraction,
      long seed) {
    this(hadoop, directory, tokenizer, layout, validationFraction, seed, new long[0]);
  }

  private ChatFileTask(
      SerializableConfiguration hadoop,
      String directory,
      Tokenizer tokenizer,
      SequenceLayout layout,
      double validationFraction,
      long seed,
      long[] withheld) {
    this.hadoop = hadoop;
    this.directory = directory;
    this.tokenizer = tokenizer;
    this.layout = layout;
    this.validationFraction = validationFraction;
    this.seed = seed;
    this.withheld = withheld;
  }

  /** The same for files of which all is held out. */
  ChatFileTask holdingAllOut() {
    return new ChatFileTask(hadoop, directory, tokenizer, layout, 1, seed);
  }

  /**
   * The same for files of which all is trained on but what is held out elsewhere.
   *
   * @param heldOut sorted hashes
   */
  ChatFileTask without(long[] heldOut) {
    return new ChatFileTask(hadoop, directory, tokenizer, layout, 0, seed, heldOut);
  }

  @Override
  public String call(File file) throws IOException {
    Storage storage = new Storage(hadoop.value());
    try (InputStream in = storage.open(new Path(file.path()));
        Outputs outputs = new Outputs(storage, file)) {
      ChatTemplate template = new ChatTemplate(tokenizer);
      Iterator<ChatRecord> records = ChatReader.read(in, file.name());
      while (records.hasNext()) {
        ChatRecord record = records.next();
        outputs.count("records", 1);
        if (record instanceof ChatRecord.Readable readable) {
          MaskedExample example = template.encode(readable.conversation());
          Optional<Defect> defect = layout.defect(example).or(() -> heldOut(example));
          if (defect.isPresent()) {
            outputs.drop(record, defect.get());
          } else {
            outputs.keep(record.id(), example);
          }
        } else {
          outputs.drop(record, ((ChatRecord.Broken) record).defect());
        }
      }
      return Json.MAPPER.writeValueAsString(outputs.commit());
    }
  }

  /** By content, so that equal conversations never lie on both sides. */
  private boolean isValidation(long hash) {
    return (hash >>> 11) * 0x1p-53 < validationFraction;
  }

  private Optional<Defect> heldOut(MaskedExample example) {
    return Arrays.binarySearch(withheld, hash(example)) >= 0
        ? Optional.of(new Defect("held_out", "is in validation too, wanted in one of the two"))
        : Optional.empty();
  }

  private long hash(MaskedExample example) {
    return LongHashFunction.xx3(seed).hashInts(example.ids());
  }

  /** What becomes of one file. */
  private final class Outputs implements Closeable {
    private final ChatSequenceWriter train;
    private final ChatSequenceWriter validation;
    private final DroppedWriter dropped;
    private final Map<String, Long> counts = new TreeMap<>();
    private final List<String> examples = new ArrayList<>();
    private final LongStream.Builder heldOut = LongStream.builder();

    private Outputs(Storage storage, File file) {
      String attempt = "attempt-" + TaskContext.get().taskAttemptId();
      train = writer(storage, file, TokenManifest.TRAIN, attempt);
      validation = writer(storage, file, TokenManifest.VALIDATION, attempt);
      dropped = new DroppedWriter(storage, new Path(directory), file.number(), attempt);
    }

    private ChatSequenceWriter writer(Storage storage, File file, String split, String attempt) {
      return new ChatSequenceWriter(
          storage, new Path(directory), split, file.number(), file.name(), layout, attempt);
    }

    void count(String what, long number) {
      counts.merge(what, number, Long::sum);
    }

    void keep(String id, MaskedExample example) throws IOException {
      long hash = hash(example);
      boolean isHeldOut = isValidation(hash);
      (isHeldOut ? validation : train).add(id, example);
      count(isHeldOut ? "validationConversations" : "trainConversations", 1);
      if (validationFraction == 1) {
        heldOut.add(hash);
      }
      count("truncated", layout.truncates(example) ? 1 : 0);
    }

    void drop(ChatRecord record, Defect defect) throws IOException {
      dropped.add(record, defect);
      count("dropped", 1);
      count("dropped." + defect.reason(), 1);
      if (examples.size() < EXAMPLES) {
        examples.add(record.id() + ": " + defect.reason() + " (" + defect.detail() + ")");
      }
    }

    Done commit() throws IOException {
      List<ChatSequenceWriter.Written> shards = new ArrayList<>(train.commit());
      shards.addAll(validation.commit());
      return new Done(shards, dropped.commit(), counts, examples, heldOut.build().toArray());
    }

    @Override
    public void close() throws IOException {
      try (train;
          validation) {
        dropped.close();
      }
    }
  }
}
