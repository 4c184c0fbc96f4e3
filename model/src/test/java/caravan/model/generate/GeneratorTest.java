package caravan.model.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.Golden;
import caravan.model.engine.CpuEngine;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GeneratorTest {
  private Golden golden;
  private CpuEngine engine;
  private Generator generator;

  @BeforeEach
  void open() throws IOException {
    golden = Golden.open("grouped-untied");
    engine = new CpuEngine(golden.config(), 1);
    generator = new Generator(engine, golden.parameters());
  }

  @AfterEach
  void close() {
    engine.close();
    golden.close();
  }

  @Test
  void aStopIdEndsTheContinuationAndIsItsLastToken() {
    int[] whole = golden.continuation();
    int stop = whole[2];
    int first = 0;
    while (whole[first] != stop) {
      first++;
    }
    Generator.Continuation got =
        generator.generate(golden.prompt(), whole.length, Set.of(stop), Sampler.greedy());
    assertThat(got.ids()).isEqualTo(Arrays.copyOf(whole, first + 1));
    assertThat(got.end()).isEqualTo(Generator.End.STOP);
  }

  @Test
  void aListenerEndsTheContinuation() {
    int[] whole = golden.continuation();
    Generator.Continuation got =
        generator.generate(
            golden.prompt(),
            whole.length,
            Set.of(),
            Sampler.greedy(),
            new IntPredicate() {
              private int heard;

              @Override
              public boolean test(int id) {
                return ++heard == 3;
              }
            });
    assertThat(got.ids()).isEqualTo(Arrays.copyOf(whole, 3));
    assertThat(got.end()).isEqualTo(Generator.End.STOP);
  }

  /** With a penalty this large nothing is said twice while anything is left. */
  @Test
  void thePenaltyIsForThePromptAndForWhatFollowedIt() {
    int vocab = golden.config().vocabSize();
    int[] prompt = golden.prompt();
    int left = (int) (vocab - Arrays.stream(prompt).distinct().count());
    int wanted = Math.min(left, golden.config().contextLength() - prompt.length);
    int[] ids =
        generator
            .generate(
                prompt,
                wanted,
                Set.of(),
                new Sampler(new Sampling(0, 0, 1, 0, 1e6), 1),
                id -> false)
            .ids();
    assertThat(ids).hasSize(wanted).doesNotContain(prompt);
    assertThat(Arrays.stream(ids).distinct().count()).isGreaterThan(wanted * 3L / 4);
  }

  @Test
  void aFullContextEndsTheContinuation() {
    int context = golden.config().contextLength();
    Generator.Continuation got =
        generator.generate(golden.prompt(), 1000, Set.of(), Sampler.greedy());
    assertThat(got.ids()).hasSize(context - golden.prompt().length + 1);
    assertThat(got.ids()).startsWith(golden.continuation());
    assertThat(got.end()).isEqualTo(Generator.End.CONTEXT);
  }

  @Test
  void noTokensAreAddedWhenNoneAreWanted() {
    Generator.Continuation got = generator.generate(golden.prompt(), 0, Set.of(), Sampler.greedy());
    assertThat(got.ids()).isEmpty();
    assertThat(got.end()).isEqualTo(Generator.End.LENGTH);
  }

  @Test
  void theSameSeedContinuesAlikeAndAnotherDoesNot() {
    assertThat(sampled(1)).isEqualTo(sampled(1)).isNotEqualTo(sampled(2));
  }

  private int[] sampled(long seed) {
    return generator.generate(golden.prompt(), 20, Set.of(), new Sampler(1, 0, 0.95, seed)).ids();
  }

  @Test
  void anEmptyOrTooLongPromptIsRefused() {
    assertThatThrownBy(() -> generator.generate(new int[0], 5, Set.of(), Sampler.greedy()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "prompt: got no tokens, wanted at least one; begin with BOS to generate from nothing");
    assertThatThrownBy(() -> generator.generate(new int[33], 5, Set.of(), Sampler.greedy()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("prompt: got 33 tokens, wanted at most the model's context of 32");
    assertThatThrownBy(() -> generator.generate(new int[] {37}, 5, Set.of(), Sampler.greedy()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> generator.generate(new int[1], -1, Set.of(), Sampler.greedy()))
        .hasMessage("max-tokens: got -1, wanted 0 or more");
  }

  @Test
  void promptsSideBySideSayWhatEachSaysAlone() {
    int[] all = golden.prompt();
    List<Generator.Request> together = new ArrayList<>();
    List<int[]> alone = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      int[] prompt = Arrays.copyOf(all, 1 + i % all.length);
      int stopAfter = 2 + 3 * i;
      together.add(new Generator.Request(prompt, sampler(i), after(stopAfter)));
      alone.add(generator.generate(prompt, 9, Set.of(), sampler(i), after(stopAfter)).ids());
    }
    for (int batch : new int[] {1, 2, 8}) {
      List<Generator.Request> fresh = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        fresh.add(new Generator.Request(together.get(i).prompt(), sampler(i), after(2 + 3 * i)));
      }
      assertThat(generator.generate(fresh, 9, Set.of(), batch))
          .extracting(Generator.Continuation::ids)
          .containsExactlyElementsOf(alone);
    }
    assertThat(alone).extracting(ids -> ids.length).containsExactly(2, 5, 8, 9, 9);
    assertThatThrownBy(() -> generator.generate(together, 9, Set.of(), 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("batch: got 0, wanted at least 1");
  }

  private static Sampler sampler(long seed) {
    return new Sampler(1, 0, 0.95, seed);
  }

  private static IntPredicate after(int tokens) {
    int[] heard = {0};
    return id -> ++heard[0] == tokens;
  }
}
