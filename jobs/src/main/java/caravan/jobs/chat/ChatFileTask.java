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
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
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
   */
  record Done(
      List<ChatSequenceWriter.Written> shards,
      List<Manifest.OutputFile> files,
      Map<String, Long> counts,
      List<String> examples) {}

  private final SerializableConfiguration hadoop;
  private final String directory;
  private final Tokenizer tokenizer;
  private final SequenceLayout layout;
  private final double validationFraction;
  private final long seed;

  ChatFileTask(
      SerializableConfiguration hadoop,
      String directory,
      Tokenizer tokenizer,
      SequenceLayout layout,
      double validationFraction,
      long seed) {
    this.hadoop = hadoop;
    this.directory = directory;
    this.tokenizer = tokenizer;
    this.layout = layout;
    this.validationFraction = validationFraction;
    this.seed = seed;
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
          Optional<Defect> defect = layout.defect(example);
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
  private boolean isValidation(MaskedExample example) {
    long hash = LongHashFunction.xx3(seed).hashInts(example.ids());
    return (hash >>> 11) * 0x1p-53 < validationFraction;
  }

  /** What becomes of one file. */
  private final class Outputs implements Closeable {
    private final ChatSequenceWriter train;
    private final ChatSequenceWriter validation;
    private final DroppedWriter dropped;
    private final Map<String, Long> counts = new TreeMap<>();
    private final List<String> examples = new ArrayList<>();

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
      boolean heldOut = isValidation(example);
      (heldOut ? validation : train).add(id, example);
      count(heldOut ? "validationConversations" : "trainConversations", 1);
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
      return new Done(shards, dropped.commit(), counts, examples);
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
