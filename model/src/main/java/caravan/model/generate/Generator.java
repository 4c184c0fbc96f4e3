package caravan.model.generate;

import caravan.model.engine.LlamaEngine;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Set;
import java.util.function.IntPredicate;
import org.bytedeco.javacpp.FloatPointer;

/** Continues a prompt token by token with a key/value cache. */
public final class Generator {

  /** Why a continuation ended. */
  public enum End {
    /** The model chose a stop id, or its listener stopped it. */
    STOP,
    /** As many tokens as were asked for. */
    LENGTH,
    /** The model's context is full. */
    CONTEXT
  }

  /**
   * @param ids what follows the prompt; the id that ended it is the last of them
   */
  public record Continuation(int[] ids, End end) {}

  private final LlamaEngine engine;
  private final FloatPointer parameters;

  public Generator(LlamaEngine engine, FloatPointer parameters) {
    this.engine = engine;
    this.parameters = parameters;
  }

  /**
   * @param prompt ids to continue, BOS included where the model expects one
   * @param maxTokens how many to add at most
   * @param stopIds ids that end the continuation
   * @param listener is given each id as it is chosen, and says whether to stop after it
   * @throws IllegalArgumentException when the prompt is empty, has an id outside the vocabulary or
   *     fills the context
   */
  public Continuation generate(
      int[] prompt, int maxTokens, Set<Integer> stopIds, Sampler sampler, IntPredicate listener) {
    int context = engine.config().contextLength();
    if (prompt.length == 0) {
      throw new IllegalArgumentException(
          "prompt: got no tokens, wanted at least one; begin with BOS to generate from nothing");
    }
    if (prompt.length > context) {
      throw new IllegalArgumentException(
          "prompt: got "
              + prompt.length
              + " tokens, wanted at most the model's context of "
              + context);
    }
    if (maxTokens < 0) {
      throw new IllegalArgumentException("max-tokens: got " + maxTokens + ", wanted 0 or more");
    }
    // One more than there are positions left: the last token chosen need not be appended.
    int room = Math.min(maxTokens, context - prompt.length + 1);
    int[] ids = new int[room];
    int count = 0;
    if (room == 0) {
      return new Continuation(ids, End.LENGTH);
    }
    try (LlamaEngine.Decoder decoder =
        engine.decoder(parameters, Math.min(context, prompt.length + room))) {
      float[] logits = decoder.append(prompt);
      BitSet seen = new BitSet();
      Arrays.stream(prompt).forEach(seen::set);
      while (true) {
        int id = sampler.sample(logits, seen);
        ids[count++] = id;
        seen.set(id);
        if (listener.test(id) || stopIds.contains(id)) {
          return new Continuation(Arrays.copyOf(ids, count), End.STOP);
        }
        if (count == room) {
          return new Continuation(ids, room == maxTokens ? End.LENGTH : End.CONTEXT);
        }
        logits = decoder.append(id);
      }
    }
  }

  /** As above, without a listener. */
  public Continuation generate(int[] prompt, int maxTokens, Set<Integer> stopIds, Sampler sampler) {
    return generate(prompt, maxTokens, stopIds, sampler, id -> false);
  }
}
