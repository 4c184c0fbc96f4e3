package caravan.model.generate;

import caravan.model.engine.LlamaEngine;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntPredicate;
import org.bytedeco.javacpp.FloatPointer;

/** Continues prompts token by token with a key/value cache each. */
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
   * One continuation that is asked for.
   *
   * @param prompt ids to continue, BOS included where the model expects one
   * @param sampler its own
   * @param listener is given each id as it is chosen, and says whether to stop after it
   */
  public record Request(int[] prompt, Sampler sampler, IntPredicate listener) {}

  /** A request on its way. */
  private final class Running implements AutoCloseable {
    final int place;
    final Request request;
    final LlamaEngine.Decoder decoder;
    final int[] ids;
    final BitSet seen = new BitSet();
    int count;

    Running(int place, Request request, int room) {
      this.place = place;
      this.request = request;
      this.ids = new int[room];
      int context = engine.config().contextLength();
      decoder = engine.decoder(parameters, Math.min(context, request.prompt.length + room));
      Arrays.stream(request.prompt).forEach(seen::set);
    }

    /** Chooses the next id; the end, where this is it. */
    Optional<End> choose(float[] logits, Set<Integer> stopIds, int maxTokens) {
      return take(request.sampler.sample(logits, seen), stopIds, maxTokens);
    }

    /** The step of one that always takes the most probable id: the engine says which it is. */
    Optional<End> chooseBest(Set<Integer> stopIds, int maxTokens) {
      int best = decoder.best(last());
      if (best < 0) {
        throw new IllegalStateException(
            "a logit after "
                + decoder.length()
                + " tokens is not a number or is infinite: the model's weights are damaged or its"
                + " training diverged");
      }
      return take(best, stopIds, maxTokens);
    }

    private Optional<End> take(int id, Set<Integer> stopIds, int maxTokens) {
      ids[count++] = id;
      seen.set(id);
      if (request.listener.test(id) || stopIds.contains(id)) {
        return Optional.of(End.STOP);
      }
      boolean full = count == ids.length;
      return full ? Optional.of(count == maxTokens ? End.LENGTH : End.CONTEXT) : Optional.empty();
    }

    int last() {
      return ids[count - 1];
    }

    @Override
    public void close() {
      decoder.close();
    }
  }

  /**
   * Continues prompts side by side, {@code batch} at a time: the weights are read once for all of
   * them, and each says what it says alone. Where one ends the next begins.
   *
   * @param maxTokens how many to add to each at most
   * @param stopIds ids that end a continuation
   * @return in the order of the requests
   * @throws IllegalArgumentException when a prompt is empty, has an id outside the vocabulary or
   *     fills the context
   */
  public List<Continuation> generate(
      List<Request> requests, int maxTokens, Set<Integer> stopIds, int batch) {
    if (batch < 1) {
      throw new IllegalArgumentException("batch: got " + batch + ", wanted at least 1");
    }
    requests.forEach(request -> room(request.prompt, maxTokens));
    Continuation[] done = new Continuation[requests.size()];
    List<Running> running = new ArrayList<>();
    int next = 0;
    try {
      while (next < done.length || !running.isEmpty()) {
        while (next < done.length && running.size() < batch) {
          begin(requests.get(next), next, maxTokens, stopIds, done).ifPresent(running::add);
          next++;
        }
        step(running, maxTokens, stopIds, done);
      }
      return List.of(done);
    } finally {
      running.forEach(Running::close);
    }
  }

  /** Reads a prompt and chooses its first id; empty where that was all. */
  private Optional<Running> begin(
      Request request, int place, int maxTokens, Set<Integer> stopIds, Continuation[] done) {
    int room = room(request.prompt, maxTokens);
    if (room == 0) {
      done[place] = new Continuation(new int[0], End.LENGTH);
      return Optional.empty();
    }
    Running running = new Running(place, request, room);
    try {
      float[] logits = running.decoder.append(request.prompt);
      Optional<End> end = running.choose(logits, stopIds, maxTokens);
      if (end.isEmpty()) {
        return Optional.of(running);
      }
      done[place] = ended(running, end.get());
      return Optional.empty();
    } catch (RuntimeException e) {
      running.close();
      throw e;
    }
  }

  private void step(
      List<Running> running, int maxTokens, Set<Integer> stopIds, Continuation[] done) {
    if (running.isEmpty()) {
      return;
    }
    boolean alone = running.size() == 1 && running.get(0).request.sampler.isGreedy();
    float[][] logits =
        alone
            ? null
            : engine.appendToEach(
                running.stream().map(r -> r.decoder).toList(),
                running.stream().mapToInt(Running::last).toArray());
    List<Running> finished = new ArrayList<>();
    for (int i = 0; i < running.size(); i++) {
      Running each = running.get(i);
      Optional<End> end =
          alone ? each.chooseBest(stopIds, maxTokens) : each.choose(logits[i], stopIds, maxTokens);
      if (end.isPresent()) {
        done[each.place] = ended(each, end.get());
        finished.add(each);
      }
    }
    running.removeAll(finished);
  }

  private static Continuation ended(Running running, End end) {
    running.close();
    return new Continuation(Arrays.copyOf(running.ids, running.count), end);
  }

  /** How many tokens may follow a prompt. */
  private int room(int[] prompt, int maxTokens) {
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
    return Math.min(maxTokens, context - prompt.length + 1);
  }

  /** One request alone. */
  public Continuation generate(
      int[] prompt, int maxTokens, Set<Integer> stopIds, Sampler sampler, IntPredicate listener) {
    return generate(List.of(new Request(prompt, sampler, listener)), maxTokens, stopIds, 1).get(0);
  }

  /** As above, without a listener. */
  public Continuation generate(int[] prompt, int maxTokens, Set<Integer> stopIds, Sampler sampler) {
    return generate(prompt, maxTokens, stopIds, sampler, id -> false);
  }
}
