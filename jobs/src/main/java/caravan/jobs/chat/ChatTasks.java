package caravan.jobs.chat;

import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;

/** The tasks of all input files, a file each: first those of what is held out. */
final class ChatTasks {
  private final JavaSparkContext spark;
  private final ChatFileTask task;

  ChatTasks(JavaSparkContext spark, ChatFileTask task) {
    this.spark = spark;
    this.task = task;
  }

  /**
   * @param heldOut files of validation alone; what is in them too is not trained on
   * @throws IllegalArgumentException when a file is of another kind
   */
  List<ChatFileTask.Done> run(Inputs training, Optional<Inputs> heldOut) {
    List<ChatFileTask.File> trained = files(training, 0);
    if (heldOut.isEmpty()) {
      return run(trained, task);
    }
    List<ChatFileTask.Done> validation =
        run(files(heldOut.get(), trained.size()), task.holdingAllOut());
    long[] hashes =
        validation.stream().flatMapToLong(done -> LongStream.of(done.heldOut())).sorted().toArray();
    return Stream.concat(run(trained, task.without(hashes)).stream(), validation.stream()).toList();
  }

  private List<ChatFileTask.Done> run(List<ChatFileTask.File> files, ChatFileTask each) {
    return spark.parallelize(files, files.size()).map(each).collect().stream()
        .map(ChatTasks::parse)
        .toList();
  }

  private static List<ChatFileTask.File> files(Inputs inputs, int first) {
    List<ChatFileTask.File> files = new ArrayList<>();
    for (Inputs.InputFile file : inputs.files()) {
      if (!ChatReader.reads(file.path())) {
        throw new IllegalArgumentException(
            "input "
                + file.path()
                + ": wanted chat data in .csv, .json or .jsonl; convert it, or take it out of input");
      }
      files.add(new ChatFileTask.File(first + files.size(), file.path(), file.relativePath()));
    }
    return files;
  }

  private static ChatFileTask.Done parse(String json) {
    try {
      return Json.MAPPER.readValue(json, ChatFileTask.Done.class);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a task's result cannot be read: " + json, e);
    }
  }
}
