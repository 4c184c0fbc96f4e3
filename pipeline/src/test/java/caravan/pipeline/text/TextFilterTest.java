package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import caravan.pipeline.ReferenceConf;
import caravan.pipeline.text.GopherRepetitionFilter.NgramLimit;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Each rule with the thresholds that users get, except where a test gives its own. */
class TextFilterTest {
  private static final LengthFilter LENGTH = new LengthFilter(3, 5);

  private static <F extends Record & TextFilter> F rule(
      String language, String name, Class<F> type) {
    return ReferenceConf.read("clean." + language + "." + name, type);
  }

  private static final GopherQualityFilter EN_QUALITY =
      rule("en", "gopher-quality", GopherQualityFilter.class);
  private static final GopherQualityFilter ZH_QUALITY =
      rule("zh", "gopher-quality", GopherQualityFilter.class);
  private static final GopherRepetitionFilter EN_REPETITION =
      rule("en", "gopher-repetition", GopherRepetitionFilter.class);
  private static final GopherRepetitionFilter ZH_REPETITION =
      rule("zh", "gopher-repetition", GopherRepetitionFilter.class);
  private static final FineWebQualityFilter EN_FINEWEB =
      rule("en", "fineweb-quality", FineWebQualityFilter.class);
  private static final FineWebQualityFilter ZH_FINEWEB =
      rule("zh", "fineweb-quality", FineWebQualityFilter.class);

  private static final String ENGLISH =
      """
      The harbour was quiet in the early morning, and only a few gulls moved over the water.
      An old man with a blue cap sat on the wall to mend his nets, as he had done for years.
      When the ferry came around the cape, its horn woke the dogs of the village, which barked
      until the last passenger had left the pier and climbed the steep road into the hills.""";
  private static final String CHINESE =
      """
      清晨的港口十分安静，只有几只海鸥在水面上盘旋。
      一位戴着蓝色帽子的老人坐在墙边修补渔网，多年来他一直如此。
      当渡轮绕过海角的时候，汽笛声惊醒了村里所有的狗，它们叫个不停，直到最后一名乘客离开码头。""";
  private static final String MIXED =
      """
      使用 Apache Spark 处理大规模文本的时候，我们先读取 Parquet 文件，再按照语言进行过滤。
      其中 MinHash 算法用于去除重复的文档，而 SentencePiece 负责把文字切分成 token，供模型训练使用。""";

  private static String reason(TextFilter filter, String text) {
    return filter.check(Passage.of(text)).map(Drop::reason).orElse("kept");
  }

  private static String detail(TextFilter filter, String text) {
    return filter.check(Passage.of(text)).map(Drop::detail).orElse("");
  }

  @Test
  void every_rule_keeps_prose_of_its_language_and_mixed_text() {
    for (TextFilter filter : List.of(EN_QUALITY, EN_REPETITION, EN_FINEWEB)) {
      assertThat(reason(filter, ENGLISH)).isEqualTo("kept");
    }
    for (TextFilter filter : List.of(ZH_QUALITY, ZH_REPETITION, ZH_FINEWEB)) {
      assertThat(reason(filter, CHINESE)).isEqualTo("kept");
      assertThat(reason(filter, MIXED)).isEqualTo("kept");
    }
  }

  @Test
  void the_empty_text_breaks_no_rule_and_survives_none_that_wants_words() {
    assertThat(reason(LENGTH, "")).isEqualTo("too_short");
    assertThat(reason(EN_QUALITY, "")).isEqualTo("too_few_words");
    assertThat(reason(ZH_FINEWEB, "")).isEqualTo("empty");
    assertThat(reason(EN_REPETITION, "")).isEqualTo("kept");
  }

  @Test
  void length_counts_code_points() {
    assertThat(reason(LENGTH, "𠮷😀")).isEqualTo("too_short");
    assertThat(detail(LENGTH, "𠮷😀")).isEqualTo("2 code points, minimum 3");
    assertThat(reason(LENGTH, "𠮷😀é")).isEqualTo("kept");
    assertThat(reason(LENGTH, "汉字abc")).isEqualTo("kept");
    assertThat(detail(LENGTH, "汉字abcd")).isEqualTo("6 code points, maximum 5");
    assertThat(reason(LENGTH, "汉字abcd")).isEqualTo("too_long");
  }

  @Test
  void quality_wants_enough_words_of_a_usual_length() {
    assertThat(detail(EN_QUALITY, "too few words")).isEqualTo("3 words, minimum 50");
    assertThat(detail(ZH_QUALITY, "字数太少𠮷")).isEqualTo("5 words, minimum 50");
    assertThat(reason(EN_QUALITY, "a b ".repeat(60))).isEqualTo("mean_word_length");
    assertThat(reason(EN_QUALITY, "the extraordinarily ".repeat(60))).isEqualTo("few_stop_words");
    assertThat(reason(ZH_QUALITY, "extraordinarily的了".repeat(60))).isEqualTo("mean_word_length");
  }

  @Test
  void quality_bounds_symbols_bullets_and_broken_lines() {
    assertThat(reason(EN_QUALITY, ENGLISH + " #".repeat(8))).isEqualTo("number_signs");
    assertThat(reason(ZH_QUALITY, CHINESE + "……".repeat(20))).isEqualTo("ellipses");
    assertThat(reason(EN_QUALITY, ENGLISH + " ...".repeat(8))).isEqualTo("ellipses");
    assertThat(reason(ZH_QUALITY, CHINESE.replaceAll("(?m)^", "• "))).isEqualTo("bullet_lines");
    assertThat(reason(EN_QUALITY, ENGLISH.replaceAll("(?m)^", "- "))).isEqualTo("bullet_lines");
    assertThat(reason(EN_QUALITY, ENGLISH.replaceFirst("\n", "...\n").replaceFirst("years.", "…")))
        .isEqualTo("ellipsis_lines");
  }

  @Test
  void quality_wants_letters_and_function_words() {
    assertThat(reason(EN_QUALITY, ENGLISH + " 17 ".repeat(30))).isEqualTo("few_alphabetic_tokens");
    assertThat(reason(ZH_QUALITY, CHINESE + " 17 ".repeat(50))).isEqualTo("few_alphabetic_tokens");
    assertThat(reason(ZH_QUALITY, "苹果香蕉橘子葡萄西瓜".repeat(8))).isEqualTo("few_stop_words");
    assertThat(detail(ZH_QUALITY, "苹果香蕉橘子葡萄西瓜的".repeat(8)))
        .isEqualTo("1 different stop words, minimum 2");
    assertThat(reason(EN_QUALITY, "apple banana cherry The ".repeat(20)))
        .isEqualTo("few_stop_words");
    assertThat(reason(EN_QUALITY, "apple banana cherry The AND ".repeat(20))).isEqualTo("kept");
  }

  @Test
  void repetition_counts_lines_and_paragraphs_that_came_before() {
    assertThat(reason(EN_REPETITION, "Home page\nHome page\nAbout our company"))
        .isEqualTo("duplicate_lines");
    assertThat(detail(EN_REPETITION, "Home page\nHome page\nAbout our company"))
        .isEqualTo("0.333 of them, maximum 0.300");
    assertThat(reason(ZH_REPETITION, "首页导航\n首页导航\n关于我们公司")).isEqualTo("duplicate_lines");
    String paragraphs = ENGLISH + "\n\nshort\n\nshort one\n\nother\n\nlast\n\n" + ENGLISH;
    assertThat(reason(EN_REPETITION, paragraphs)).isEqualTo("duplicate_paragraph_characters");
  }

  @Test
  void repetition_counts_ngrams_of_words_or_chinese_characters() {
    assertThat(reason(EN_REPETITION, "buy now ".repeat(10))).isEqualTo("top_2_gram");
    assertThat(reason(ZH_REPETITION, "买买买买买买买买买买买买")).isEqualTo("top_3_gram");
    String sentence = " the small dog sat near the old red door of our house today";
    assertThat(reason(EN_REPETITION, ENGLISH + sentence + sentence + sentence))
        .isEqualTo("duplicate_5_grams");
    assertThat(reason(ZH_REPETITION, CHINESE + "我们公司的产品质量最好价格最低服务最周到".repeat(3)))
        .isEqualTo("duplicate_8_grams");
    assertThat(reason(ZH_REPETITION, "𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷")).isEqualTo("top_3_gram");
  }

  @Test
  void an_ngram_that_occurs_once_is_no_repetition() {
    assertThat(reason(EN_REPETITION, "only five words stand here")).isEqualTo("kept");
    assertThat(reason(ZH_REPETITION, "一句短话")).isEqualTo("kept");
  }

  @Test
  void repeated_ngrams_are_counted_without_overlap_and_without_the_first() {
    Words words = Words.of("a b a b a b c 汉字汉字");
    Ngrams ngrams = new Ngrams(words);
    assertThat(ngrams.topCharacters(2)).as("a b, three times three").isEqualTo(9);
    assertThat(ngrams.repeatedCharacters(2)).as("a b, a b, 汉字").isEqualTo(2 + 2 + 2);
    assertThat(ngrams.topCharacters(12)).isZero();
    assertThat(new Ngrams(Words.of("")).repeatedCharacters(2)).isZero();
  }

  @Test
  void fast_ngrams_agree_with_plain_ones() {
    java.util.Random random = new java.util.Random(3);
    for (int round = 0; round < 200; round++) {
      List<String> list =
          IntStream.range(0, random.nextInt(60))
              .mapToObj(i -> "w" + random.nextInt(4))
              .collect(Collectors.toList());
      Ngrams ngrams = new Ngrams(Words.of(String.join(" ", list)));
      for (int n : new int[] {1, 2, 3, 5, 9, 4, 4}) {
        assertThat(ngrams.repeatedCharacters(n)).isEqualTo(repeatedPlainly(list, n));
        assertThat(ngrams.topCharacters(n)).isEqualTo(topPlainly(list, n));
      }
    }
  }

  private static long topPlainly(List<String> words, int n) {
    Map<String, Long> counts =
        IntStream.rangeClosed(0, words.size() - n)
            .mapToObj(i -> String.join(" ", words.subList(i, i + n)))
            .collect(Collectors.groupingBy(ngram -> ngram, Collectors.counting()));
    long most = counts.values().stream().mapToLong(Long::longValue).max().orElse(0);
    return counts.entrySet().stream()
        .filter(e -> e.getValue() == most && most > 1)
        .mapToLong(e -> e.getKey().length() * most)
        .max()
        .orElse(0);
  }

  @Test
  void a_quick_judge_hears_less_and_decides_the_same() {
    Random random = new Random(11);
    Map<String, Integer> reasons = new TreeMap<>();
    for (int round = 0; round < 3000; round++) {
      int vocabulary = 2 + random.nextInt(60);
      String text =
          random
              .ints(20 + random.nextInt(120), 0, vocabulary)
              .mapToObj(i -> i % 7 == 3 ? "word" + i + " " : Character.toString(0x4E00 + i))
              .collect(Collectors.joining());
      for (GopherRepetitionFilter filter : List.of(EN_REPETITION, ZH_REPETITION)) {
        Judge quick = Judge.quick();
        filter.measure(Passage.of(text), quick);
        Judge thorough = Judge.thorough();
        filter.measure(Passage.of(text), thorough);
        assertThat(quick.drop()).as(text).isEqualTo(thorough.drop());
        reasons.merge(quick.drop().map(Drop::reason).orElse("kept"), 1, Integer::sum);
      }
    }
    assertThat(reasons)
        .as("enough of everything: %s", reasons)
        .containsKeys("kept", "top_2_gram", "top_3_gram", "top_4_gram", "duplicate_5_grams");
  }

  @Test
  void ngrams_of_two_texts_do_not_mix() {
    Ngrams first = new Ngrams(Words.of("a b a b"));
    Ngrams second = new Ngrams(Words.of("c d e f"));
    assertThat(first.topCharacters(2)).isEqualTo(6);
    assertThat(second.topCharacters(2)).isZero();
    assertThat(first.repeatedCharacters(2)).isEqualTo(2);
  }

  private static long repeatedPlainly(List<String> words, int n) {
    java.util.Set<String> seen = new java.util.HashSet<>();
    long characters = 0;
    int i = 0;
    while (i + n <= words.size()) {
      String ngram = String.join("", words.subList(i, i + n));
      boolean repeated = !seen.add(ngram);
      characters += repeated ? ngram.length() : 0;
      i += repeated ? n : 1;
    }
    return characters;
  }

  @Test
  void fineweb_drops_menus_and_lists() {
    String menu = "Home\nProducts and services\nContact\nImprint\nJobs";
    assertThat(reason(EN_FINEWEB, menu)).isEqualTo("unterminated_lines");
    assertThat(reason(EN_FINEWEB, menu.replace("\n", ".\n"))).isEqualTo("short_lines");
    assertThat(reason(EN_FINEWEB, ENGLISH + "\n" + ENGLISH)).isEqualTo("repeated_lines");
    assertThat(reason(ZH_FINEWEB, "首页\n产品与服务\n联系我们\n招聘")).isEqualTo("unterminated_lines");
    assertThat(reason(ZH_FINEWEB, "首页。\n产品。\n联系。\n招聘𠮷。")).isEqualTo("list_like");
    assertThat(reason(ZH_FINEWEB, CHINESE + "\n" + CHINESE)).isEqualTo("repeated_lines");
  }

  @Test
  void impossible_thresholds_are_refused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new LengthFilter(5, 3))
        .withMessage("min-characters and max-characters: got 5.0 and 3.0, wanted 0 ≤ min ≤ max");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new NgramLimit(2, 1.5))
        .withMessage("max-characters: got 1.5, wanted 0 to 1");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new GopherQualityFilter(
                    1, 2, 1, 2, 0, 0, 0, 0, 3, new WordSet(List.of("the", "and"))))
        .withMessage("min-stop-words: got 3, wanted at most the 2 words of stop-words");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Drop("Too short", ""))
        .withMessageContaining("wanted lower-case letters, digits and underscores");
  }
}
