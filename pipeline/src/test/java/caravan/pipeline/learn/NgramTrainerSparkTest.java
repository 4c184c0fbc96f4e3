package caravan.pipeline.learn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.pipeline.TestSpark;
import caravan.pipeline.clean.Perplexity;
import caravan.pipeline.text.NgramModel;
import caravan.pipeline.text.PerplexityFilter.Bucket;
import caravan.pipeline.text.Words;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;

/** The model that Spark counts against the formula, and what any model of a language must do. */
class NgramTrainerSparkTest {
  private static final JavaSparkContext sc =
      JavaSparkContext.fromSparkContext(TestSpark.session().sparkContext());

  /** Quantized: three lookups' half steps. */
  private static final double TOLERANCE = 1e-3;

  /** Texts of a small grammar, Chinese and English, so that n-grams repeat. */
  private static final List<String> TEXTS = texts(60, 7);

  private static List<String> texts(int count, long seed) {
    Random random = new Random(seed);
    List<String> who = List.of("渔民", "老人", "the old man", "a boy", "小猫");
    List<String> does = List.of("在港口看见", "sees", "喜欢", "walks to", "画了一只");
    List<String> what = List.of("一只船", "the harbour", "海鸥", "a blue boat", "鱼 7", "xyzzy");
    return IntStream.range(0, count)
        .mapToObj(
            i ->
                IntStream.range(0, 1 + random.nextInt(4))
                    .mapToObj(
                        j ->
                            who.get(random.nextInt(5))
                                + " "
                                + does.get(random.nextInt(5))
                                + " "
                                + what.get(random.nextInt(6)))
                    .collect(Collectors.joining("。\n")))
        .toList();
  }

  private static Perplexity config(int order, int maxVocabulary, int maxNgrams) {
    return new Perplexity(
        List.of("reference"),
        order,
        maxVocabulary,
        maxNgrams,
        1,
        0.3,
        0.6,
        List.of(Bucket.HEAD, Bucket.MIDDLE));
  }

  private static NgramTrainer.Trained train(List<String> texts, int partitions, Perplexity config) {
    JavaRDD<String> rdd = sc.parallelize(texts, partitions);
    return new NgramTrainer(TestSpark.session(), config).train(rdd);
  }

  /** The most frequent words that occur twice. */
  private static Set<Long> vocabulary(List<String> texts, int size) {
    Map<Long, Integer> counts = new HashMap<>();
    for (String text : texts) {
      Words words = Words.of(text);
      IntStream.range(0, words.count()).forEach(i -> counts.merge(words.hash(i), 1, Integer::sum));
    }
    Set<Long> vocabulary =
        counts.entrySet().stream()
            .filter(e -> e.getValue() >= 2)
            .sorted(
                Map.Entry.<Long, Integer>comparingByValue()
                    .reversed()
                    .thenComparing(Map.Entry.comparingByKey()))
            .limit(size)
            .map(Map.Entry::getKey)
            .collect(Collectors.toCollection(HashSet::new));
    return vocabulary;
  }

  /** Nothing is known of what stands on both sides of an unknown unit. */
  private static List<List<Long>> betweenUnknown(List<Long> units) {
    List<List<Long>> parts = new ArrayList<>();
    int start = 0;
    for (int end = 0; end <= units.size(); end++) {
      if (end == units.size() || units.get(end) == 0) {
        if (end > start) {
          parts.add(units.subList(start, end));
        }
        start = end + 1;
      }
    }
    return parts;
  }

  private static long[] array(List<Long> units) {
    return units.stream().mapToLong(Long::longValue).toArray();
  }

  /** Contexts that occur, contexts that do not. */
  private static List<List<Long>> contexts(List<List<Long>> units, int length) {
    List<List<Long>> contexts = new ArrayList<>(List.of(List.of()));
    for (int i = 0; i < 8; i++) {
      List<Long> text = units.get(i);
      int end = Math.min(text.size(), 3 + i);
      contexts.add(text.subList(Math.max(0, end - length), end));
      contexts.add(List.of(text.get(0), text.get(0)).subList(0, Math.min(2, length)));
    }
    return contexts;
  }

  private static void compare(int order, int maxVocabulary, int maxNgrams) {
    NgramTrainer.Trained trained = train(TEXTS, 3, config(order, maxVocabulary, maxNgrams));
    Set<Long> vocabulary = vocabulary(TEXTS, maxVocabulary);
    List<List<Long>> units =
        TEXTS.stream()
            .flatMap(text -> betweenUnknown(NaiveKneserNey.units(text, vocabulary)).stream())
            .toList();
    Set<Long> seen = units.stream().flatMap(List::stream).collect(Collectors.toSet());
    NaiveKneserNey naive = new NaiveKneserNey(units, seen, order, trained.minCount());
    assertThat(trained.model().sizes().stream().mapToInt(i -> i).sum())
        .isLessThanOrEqualTo(maxNgrams);
    for (List<Long> context : contexts(units, order - 1)) {
      double sum = 0;
      Set<Long> all = new HashSet<>(seen);
      all.add(0L);
      for (long unit : all) {
        double cost = trained.model().cost(array(context), unit);
        double wanted = naive.probability(context, unit);
        assertThat(cost).isCloseTo(-Math.log(wanted), within(TOLERANCE));
        sum += Math.exp(-cost);
      }
      assertThat(sum).isCloseTo(1, within(TOLERANCE));
    }
  }

  @Test
  void probabilities_are_those_of_the_formula_and_sum_to_one() {
    compare(3, 100, 100_000);
    compare(1, 100, 100_000);
  }

  @Test
  void they_are_and_do_so_when_rare_ngrams_and_words_are_left_out() {
    compare(4, 12, 150);
  }

  @Test
  void only_as_many_ngrams_are_kept_as_fit_those_that_occur_most() {
    NgramTrainer.Trained all = train(TEXTS, 2, config(3, 100, 100_000));
    NgramTrainer.Trained some = train(TEXTS, 2, config(3, 100, 200));
    assertThat(all.minCount()).isEqualTo(1);
    assertThat(some.minCount()).isGreaterThan(1);
    assertThat(some.units()).isEqualTo(all.units());
    assertThat(some.model().sizes().get(0)).isEqualTo(all.model().sizes().get(0));
    assertThatThrownBy(() -> train(Collections.nCopies(2000, "甲甲甲"), 2, config(3, 1, 1)))
        .hasMessageContaining("max-ngrams: got 1, wanted room for");
    assertThatThrownBy(() -> train(List.of("。。", "！"), 2, config(3, 10, 10)))
        .hasMessage("no word of the language that occurs twice");
  }

  @Test
  void order_and_partitioning_of_the_reference_do_not_matter() throws IOException {
    List<String> shuffled = new ArrayList<>(TEXTS);
    Collections.shuffle(shuffled, new Random(3));
    NgramModel model = train(TEXTS, 1, config(4, 20, 300)).model();
    assertThat(bytes(train(shuffled, 5, config(4, 20, 300)).model())).isEqualTo(bytes(model));
  }

  private static byte[] bytes(NgramModel model) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    model.write(new DataOutputStream(bytes));
    return bytes.toByteArray();
  }

  @Test
  void a_model_that_was_stored_scores_as_before() throws IOException {
    NgramModel model = train(TEXTS, 2, config(3, 100, 1000)).model();
    byte[] bytes = bytes(model);
    NgramModel read = NgramModel.read(new DataInputStream(new ByteArrayInputStream(bytes)));
    Words words = Words.of(TEXTS.get(0));
    assertThat(read.perplexity(words)).isEqualTo(model.perplexity(words));
    bytes[3] ^= 1;
    assertThatThrownBy(() -> NgramModel.read(new DataInputStream(new ByteArrayInputStream(bytes))))
        .hasMessageContaining("no n-gram model of this version");
  }

  @Test
  void shuffled_words_and_unknown_ones_are_more_perplexing_than_sentences() {
    NgramModel model = train(TEXTS, 2, config(4, 100, 100_000)).model();
    Random random = new Random(5);
    for (String text : texts(20, 99)) {
      Words words = Words.of(text);
      List<String> shuffled =
          IntStream.range(0, words.count()).mapToObj(words::word).collect(Collectors.toList());
      Collections.shuffle(shuffled, random);
      double sentence = model.perplexity(words);
      double bag = model.perplexity(Words.of(String.join(" ", shuffled)));
      assertThat(bag).isGreaterThan(2 * sentence);
      String noise = shuffled.stream().map(w -> "q" + w + "zz").collect(Collectors.joining(" "));
      assertThat(model.perplexity(Words.of(noise))).isGreaterThan(5 * sentence);
    }
    assertThat(model.perplexity(Words.of("。。"))).isNaN();
  }

  @Test
  void long_texts_are_scored_as_the_sum_of_their_parts() {
    NgramModel model = train(TEXTS, 2, config(4, 20, 100_000)).model();
    String text = String.join(" ", texts(400, 11));
    Set<Long> vocabulary = vocabulary(TEXTS, 20);
    List<Long> units = NaiveKneserNey.units(text, vocabulary);
    double nats = 0;
    for (int i = 0; i < units.size(); i++) {
      int from = Math.max(0, i - 3);
      from = Math.max(from, units.subList(0, i).lastIndexOf(0L) + 1);
      nats += model.cost(array(units.subList(from, i)), units.get(i));
    }
    Words words = Words.of(text);
    assertThat(units.size()).isGreaterThan(5000);
    assertThat(Math.log(model.perplexity(words))).isCloseTo(nats / words.count(), within(1e-9));
  }
}
