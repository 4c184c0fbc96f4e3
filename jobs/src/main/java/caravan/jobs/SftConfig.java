package caravan.jobs;

import caravan.jobs.chat.ChatConfig;
import caravan.model.train.Resume;
import caravan.model.train.TrainConfig;
import java.util.List;
import java.util.Optional;

/**
 * Settings of {@code sft}; reference.conf states each one's unit and range.
 *
 * @param input chat or instruction data
 * @param checkpoint model to start from
 * @param validation chat or instruction data to hold out, in place of a share of the input
 */
record SftConfig(
    List<String> input,
    String checkpoint,
    Optional<String> tokenizer,
    String output,
    String resume,
    Resume.Data resumeData,
    Optional<List<String>> validation,
    List<String> reportRuns,
    long seed,
    ChatConfig sft,
    TrainConfig train,
    LoraSettings lora) {
  /** Where the training sequences are written. */
  String sequences() {
    return output + "/sequences";
  }
}
