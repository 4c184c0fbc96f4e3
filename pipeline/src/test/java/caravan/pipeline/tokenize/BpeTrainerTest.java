package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import caravan.pipeline.tokenize.TokenizerConfig.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BpeTrainerTest {
  private static TokenizerConfig config(int vocabSize, double coverage, String... symbols) {
    return new TokenizerConfig(
        Kind.BPE, vocabSize, coverage, 16, true, List.of(), List.of(symbols), 1000);
  }

  private static SentencePieceModel train(TokenizerConfig config, String... documents) {
    return TrainingAtHand.train(config, List.of(documents));
  }

  private static List<String> learned(SentencePieceModel model) {
    return model.pieces().stream().skip(TokenizerConfig.FIXED_PIECES).map(Piece::text).toList();
  }

  @Test
  void theMostFrequentPairIsMergedFirst() {
    // low ×5, lower ×2, newest ×6, widest ×3: the example of Sennrich et al., with spaces before.
    String corpus =
        "low ".repeat(5) + "lower ".repeat(2) + "newest ".repeat(6) + "widest ".repeat(3);
    SentencePieceModel model = train(config(259 + 6 + 11, 1), corpus.strip());
    // es and st are equally frequent (9), as are then est and lo/ow (7): shorter, then earlier.
    assertThat(learned(model).subList(0, 6))
        .containsExactly("es", "est", "lo", "low", "▁low", "ew");
    assertThat(learned(model).subList(6, 17))
        .containsExactlyInAnyOrder("▁", "e", "w", "s", "t", "l", "o", "n", "r", "i", "d");
  }

  @Test
  void theLayoutIsThatOfLlama2() {
    SentencePieceModel model = train(config(262, 1), "aa aa");
    assertThat(model.pieces().subList(0, 4))
        .containsExactly(
            new Piece("<unk>", 0, PieceType.UNKNOWN),
            new Piece("<s>", 0, PieceType.CONTROL),
            new Piece("</s>", 0, PieceType.CONTROL),
            new Piece("<0x00>", 0, PieceType.BYTE));
    assertThat(model.pieces().get(258)).isEqualTo(new Piece("<0xFF>", 0, PieceType.BYTE));
    assertThat(model.pieces().subList(259, 262))
        .containsExactly(
            new Piece("aa", 0, PieceType.NORMAL),
            new Piece("a", -1, PieceType.NORMAL),
            new Piece("▁", -2, PieceType.NORMAL));
    assertThat(model.trainer().byteFallback()).isTrue();
    assertThat(model.normalizer().name()).isEqualTo("identity");
    assertThat(model.normalizer().removeExtraWhitespaces()).isFalse();
  }

  @Test
  void chineseIsMergedWithoutASegmenter() {
    SentencePieceModel model = train(config(259 + 3 + 10, 1), "我爱北京天安门，北京天安门，北京。天安门。");
    assertThat(learned(model)).contains("北京", "天安门").doesNotContain("，北京", "门，");
  }

  @Test
  void rareCharactersFallBackToBytes() {
    String text = "甲乙".repeat(500) + "龘";
    SentencePieceModel model = train(config(259 + 1 + 3, 0.99), text);
    assertThat(learned(model)).containsExactly("甲乙", "乙", "甲", "▁");
    SentencePieceTokenizer tokenizer = SentencePieceTokenizer.of(model.toBytes(), "test");
    assertThat(tokenizer.encode("龘")).containsExactly(262, 3 + 0xE9, 3 + 0xBE, 3 + 0x98);
    assertThat(tokenizer.decode(tokenizer.encode("甲龘乙"))).isEqualTo("甲龘乙");
  }

  @Test
  void digitsNeverShareAPiece() {
    SentencePieceModel model = train(config(259 + 12, 1), "2024 2024 2024 abab abab abab cdcd");
    assertThat(learned(model)).noneMatch(p -> p.length() > 1 && p.matches(".*\\d.*"));
  }

  @Test
  void userDefinedSymbolsFollowTheBytesAndStayWhole() {
    SentencePieceModel model = train(config(265, 1, "<|end|>"), "ab<|end|> ab<|end|>ab ab<|end|>");
    assertThat(model.pieces().get(259)).isEqualTo(new Piece("<|end|>", 0, PieceType.USER_DEFINED));
    SentencePieceTokenizer tokenizer = SentencePieceTokenizer.of(model.toBytes(), "test");
    assertThat(tokenizer.encode("ab<|end|>ab"))
        .hasSize(3)
        .contains(259, org.assertj.core.data.Index.atIndex(1));
    assertThat(tokenizer.decode(tokenizer.encode("a <|end|> b"))).isEqualTo("a <|end|> b");
  }

  @Test
  void controlSymbolsFollowTheBytesAndNoTextBecomesThem() {
    TokenizerConfig config =
        new TokenizerConfig(
            Kind.BPE, 267, 1, 16, true, List.of("abc", "<|sep|>"), List.of("<|end|>"), 1000);
    SentencePieceModel model = train(config, "abc abc abc abc<|end|>");
    assertThat(model.pieces().subList(259, 262))
        .containsExactly(
            new Piece("abc", 0, PieceType.CONTROL),
            new Piece("<|sep|>", 0, PieceType.CONTROL),
            new Piece("<|end|>", 0, PieceType.USER_DEFINED));
    assertThat(learned(model).subList(3, 8)).doesNotContain("abc");
    assertThat(model.trainer().controlSymbols()).containsExactly("abc", "<|sep|>");
    SentencePieceTokenizer tokenizer = SentencePieceTokenizer.of(model.toBytes(), "test");
    assertThat(tokenizer.encode("abc<|sep|>")).doesNotContain(259, 260);
    assertThat(SentencePieceModel.parse(model.toBytes(), "test")).isEqualTo(model);
  }

  @Test
  void aCharacterModelHasCharactersAloneWithTheLogarithmsOfTheirShares() {
    TokenizerConfig config =
        new TokenizerConfig(Kind.CHAR, 1000, 1, 16, true, List.of(), List.of(), 1000);
    SentencePieceModel model = train(config, "我我我我中中😀");
    assertThat(model.trainer().modelType()).isEqualTo(SentencePieceModel.ModelType.CHAR);
    assertThat(model.trainer().vocabSize()).isEqualTo(263);
    assertThat(learned(model)).containsExactly("我", "中", "▁", "😀");
    assertThat(model.pieces().get(259).score()).isEqualTo((float) Math.log(4 / 8.0));
    assertThat(model.pieces().get(262).score()).isEqualTo((float) Math.log(1 / 8.0));
  }

  @Test
  void controlCharactersAndUnpairedSurrogatesTeachNothing() {
    SentencePieceModel model = train(config(263, 1), "ab\0ab\ud83dab\ude00\ud83d ab\u0085");
    assertThat(learned(model)).containsExactly("ab", "a", "b", "▁");
  }

  @Test
  void theSameTextGivesTheSameFileInAnyOrder() {
    List<String> documents = new ArrayList<>();
    Random random = new Random(5);
    for (int i = 0; i < 200; i++) {
      StringBuilder text = new StringBuilder();
      for (int n = 0; n < 40; n++)
        text.append("我们在中国北京 the quick brown fox".charAt(random.nextInt(27)));
      documents.add(text.toString());
    }
    byte[] one = train(config(400, 0.9995), documents.toArray(String[]::new)).toBytes();
    java.util.Collections.shuffle(documents, random);
    assertThat(train(config(400, 0.9995), documents.toArray(String[]::new)).toBytes())
        .isEqualTo(one);
  }

  @Test
  void everyMergeIsTheMostFrequentPairOfANaiveRecount() {
    Random random = new Random(11);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 3000; i++) {
      text.append("aabbcde  中中国人".charAt(random.nextInt(13)));
    }
    int merges = 60;
    List<String> learned = learned(train(config(259 + 10 + merges, 1), text.toString()));
    assertThat(learned.subList(0, merges)).isEqualTo(naiveMerges(text.toString(), merges));
  }

  /** Counts all pairs anew for each merge, over segments as lists of strings. */
  private static List<String> naiveMerges(String text, int wanted) {
    PieceRules rules = new PieceRules(16, true);
    List<List<String>> segments = new ArrayList<>();
    new SegmentSplitter(rules, List.of())
        .split(text, s -> segments.add(new ArrayList<>(List.of(s.split("")))));
    List<String> merges = new ArrayList<>();
    while (merges.size() < wanted) {
      Map<List<String>, Integer> counts = new HashMap<>();
      for (List<String> s : segments) {
        for (int i = 1; i < s.size(); i++) {
          String left = s.get(i - 1);
          String right = s.get(i);
          if (rules.mayBePiece(left.codePoints().toArray(), right.codePoints().toArray())) {
            counts.merge(List.of(left, right), 1, Integer::sum);
          }
        }
      }
      List<String> best =
          counts.keySet().stream()
              .min(
                  java.util.Comparator.comparing((List<String> p) -> -counts.get(p))
                      .thenComparing(p -> String.join("", p).length())
                      .thenComparing(p -> String.join("", p))
                      .thenComparing(p -> p.get(0).length()))
              .orElseThrow();
      for (List<String> s : segments) {
        for (int i = 1; i < s.size(); i++) {
          if (s.get(i - 1).equals(best.get(0)) && s.get(i).equals(best.get(1))) {
            s.set(i - 1, s.get(i - 1) + s.remove(i));
          }
        }
      }
      String merged = String.join("", best);
      if (!merges.contains(merged)) merges.add(merged);
    }
    return merges;
  }

  @Test
  void aVocabularyThatCannotHoldTheCharactersIsRefused() {
    assertThatThrownBy(() -> train(config(262, 1), "abcdef"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "train-tokenizer.vocab-size: got 262, the text needs 266 (259 special, byte and"
                + " symbol pieces, 7 characters); raise it, or lower"
                + " train-tokenizer.character-coverage");
  }

  @Test
  void aVocabularyLargerThanTheTextGivesIsRefused() {
    assertThatThrownBy(() -> train(config(300, 1), "ab"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "train-tokenizer.vocab-size: got 300, the text gives no more than 264 (259 special,"
                + " byte and symbol pieces, 3 characters, 2 learned); lower it or give more"
                + " text");
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    assertThatThrownBy(() -> config(259, 1))
        .hasMessage("train-tokenizer.vocab-size: got 259, wanted 260 to 1000000");
    assertThatThrownBy(() -> config(300, 0.5))
        .hasMessage("train-tokenizer.character-coverage: got 0.5, wanted 0.98 to 1");
    assertThatThrownBy(() -> config(300, 1, "a b"))
        .hasMessage(
            "train-tokenizer.user-defined-symbols: got [a b], wanted distinct texts without spaces"
                + " and control characters");
    assertThatThrownBy(() -> config(300, 1, "<s>"))
        .hasMessage(
            "train-tokenizer.user-defined-symbols: got [<s>], wanted no '<s>', which every"
                + " vocabulary has");
    assertThatThrownBy(
            () ->
                new TokenizerConfig(
                    Kind.BPE, 300, 1, 16, true, List.of("<x>"), List.of("<y>", "<x>"), 1000))
        .hasMessage(
            "train-tokenizer.control-symbols: got [<x>], wanted none of user-defined-symbols,"
                + " which hold '<x>' too");
  }
}
