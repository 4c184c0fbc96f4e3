package caravan.jobs;

import caravan.model.engine.WeightType;
import caravan.model.generate.Sampling;
import java.util.List;
import java.util.Optional;

/**
 * Settings of {@code generate}; reference.conf states each one's unit and range.
 *
 * @param prompt text to continue, or in chat the question
 * @param prompts a file with one prompt a line, instead
 * @param stop texts that end the continuation and are cut off it
 * @param chat whether the prompt is put into the chat template
 */
record GenerateConfig(
    String checkpoint,
    Optional<String> tokenizer,
    Optional<String> prompt,
    Optional<String> prompts,
    int maxTokens,
    double temperature,
    int topK,
    double topP,
    double minP,
    double repetitionPenalty,
    Optional<List<String>> stop,
    long seed,
    boolean chat,
    Optional<Boolean> addBos,
    Generation generate,
    ModelContext model,
    AdapterBase lora) {

  /**
   * @param engine {@code cpu}, {@code nd4j} or {@code cuda}
   * @param weights what the engine makes of the parameters
   * @param batch prompts that are continued side by side
   * @param threads of the engine; the machine's cores where it is not given
   */
  record Generation(String engine, WeightType weights, int batch, Optional<Integer> threads) {
    Generation {
      if (batch < 1) {
        throw new IllegalArgumentException("generate.batch: got " + batch + ", wanted at least 1");
      }
    }

    int threadCount() {
      return threads.orElseGet(() -> Runtime.getRuntime().availableProcessors());
    }
  }

  GenerateConfig {
    if (prompt.isPresent() && prompts.isPresent()) {
      throw new IllegalArgumentException("prompt and prompts: got both, wanted one of them");
    }
    if (stop.stream().flatMap(List::stream).anyMatch(String::isEmpty)) {
      throw new IllegalArgumentException("stop: got an empty text, wanted texts to stop at");
    }
  }

  Sampling sampling() {
    return new Sampling(temperature, topK, topP, minP, repetitionPenalty);
  }

  GenerateConfig asChat() {
    return new GenerateConfig(
        checkpoint,
        tokenizer,
        prompt,
        prompts,
        maxTokens,
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        stop,
        seed,
        true,
        addBos,
        generate,
        model,
        lora);
  }
}
