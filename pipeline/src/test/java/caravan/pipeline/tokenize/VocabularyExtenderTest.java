package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class VocabularyExtenderTest {
  private static final SegmentSplitter SPLITTER =
      new SegmentSplitter(new PieceRules(16, true), List.of());
  private static final List<String> TEXTS =
      MixedText.documents(150, 1).stream().map(Document::text).toList();
  private static final SentencePieceModel BASE =
      TrainingAtHand.train(
          TokenizerConfig.ofSize(420), TEXTS.stream().map(VocabularyExtenderTest::latin).toList());
  private static final SentencePieceTokenizer OLD =
      SentencePieceTokenizer.of(BASE.toBytes(), "base");

  private static String latin(String text) {
    return text.codePoints()
        .filter(c -> c < 0x250)
        .mapToObj(Character::toString)
        .collect(Collectors.joining());
  }

  private static ExtensionConfig config(int vocabSize, String... scripts) {
    return new ExtensionConfig(vocabSize, 0.999, 16, List.of(scripts), 1_000_000, 1_000_000);
  }

  private static SentencePieceModel extended(
      SentencePieceModel base, List<String> texts, ExtensionConfig config) {
    SegmentCounts segments = SegmentCounts.of(texts, SPLITTER);
    return VocabularyExtender.extend(base, segments.characters(), segments, config);
  }

  private static SentencePieceModel extended(int vocabSize, String... scripts) {
    return extended(BASE, TEXTS, config(vocabSize, scripts));
  }

  /** A line end goes before it: a byte, which nothing joins, so that no space is put in front. */
  private static int[] encodePiece(SentencePieceTokenizer tokenizer, String piece) {
    String text = piece.replace('\u2581', ' ');
    if (text.startsWith(" ")) return tokenizer.encode(text.substring(1));
    int[] ids = tokenizer.encode("\n" + text);
    return Arrays.copyOfRange(ids, tokenizer.encode("\n").length, ids.length);
  }

  @Test
  void oldPiecesKeepTheirIdsAndNewOnesFollowWithLowerScores() {
    SentencePieceModel model = extended(680, "han");
    assertThat(model.pieces().subList(0, 420)).isEqualTo(BASE.pieces());
    assertThat(model.pieces()).hasSize(680);
    assertThat(model.trainer().vocabSize()).isEqualTo(680);
    float lowest = BASE.pieces().get(419).score();
    for (Piece piece : model.pieces().subList(420, 680)) {
      assertThat(piece.type()).isEqualTo(PieceType.NORMAL);
      assertThat(piece.score()).isLessThan(lowest);
      lowest = piece.score();
    }
    assertThat(model.pieces().stream().map(Piece::text)).doesNotHaveDuplicates();
  }

  @Test
  void everyNewPieceIsEncodedToItsOwnIdAlone() {
    for (SentencePieceModel model : List.of(extended(680, "han"), extended(680))) {
      SentencePieceTokenizer tokenizer = SentencePieceTokenizer.of(model.toBytes(), "extended");
      for (int id = 420; id < 680; id++) {
        assertThat(encodePiece(tokenizer, tokenizer.piece(id)))
            .as(tokenizer.piece(id))
            .containsExactly(id);
      }
    }
  }

  @Test
  void newIdsStandForRunsOfOldOnesAndAllOthersStay() {
    SentencePieceTokenizer tokenizer =
        SentencePieceTokenizer.of(extended(680).toBytes(), "extended");
    int changed = 0;
    for (String line : MixedText.lines(600, 9)) {
      int[] ids = tokenizer.encode(line);
      int[] expanded =
          Arrays.stream(ids)
              .flatMap(
                  id ->
                      id < 420
                          ? IntStream.of(id)
                          : Arrays.stream(encodePiece(OLD, tokenizer.piece(id))))
              .toArray();
      assertThat(expanded).as(line).isEqualTo(OLD.encode(line));
      if (ids.length < expanded.length) changed++;
    }
    assertThat(changed).isGreaterThan(300);
  }

  @Test
  void textOfOtherWritingSystemsKeepsItsIds() {
    SentencePieceTokenizer han = SentencePieceTokenizer.of(extended(680, "han").toBytes(), "han");
    for (String line : MixedText.lines(300, 4)) {
      assertThat(han.encode(latin(line))).isEqualTo(OLD.encode(latin(line)));
    }
  }

  @Test
  void basesWhoseSpacesMergeLastKeepThemTogether() {
    // Llama-2 gives runs of spaces a score of -1e9, where floats are 64 apart.
    List<Piece> pieces = new ArrayList<>(TestModels.model("\u2581", "a").pieces());
    pieces.set(TestModels.FIRST, new Piece("\u2581", -1e9f, PieceType.NORMAL));
    pieces.add(new Piece("\u2581\u2581", -1e9f, PieceType.NORMAL));
    SentencePieceModel base =
        new SentencePieceModel(
            pieces, TestModels.spec(SentencePieceModel.ModelType.BPE, true), TestModels.plain());
    SentencePieceModel model =
        extended(base, List.of("中国 中国 中国  中国"), config(pieces.size() + 4, "han"));
    assertThat(model.pieces().stream().skip(pieces.size()).map(Piece::text))
        .containsExactly("中国", "\u2581中国", "中", "国");
    SentencePieceTokenizer tokenizer = SentencePieceTokenizer.of(model.toBytes(), "extended");
    int spaces = pieces.size() - 1;
    // One space comes before any text. Two of them were one id, and stay it.
    assertThat(tokenizer.encode(" 中国")).containsExactly(spaces, spaces + 1);
    assertThat(tokenizer.encode("  中国")).containsExactly(spaces, spaces + 2);
    assertThat(tokenizer.encode("中国")).containsExactly(spaces + 2);
  }

  @Test
  void mergesThatEncodingWouldNotReachAreNotLearned() {
    // Bases with pieces that only new merges lead to: these then go before the new ones.
    for (int seed = 0; seed < 40; seed++) {
      Random random = new Random(seed);
      StringBuilder text = new StringBuilder();
      for (int i = 0; i < 300; i++) text.append("abc".charAt(random.nextInt(3)));
      Set<String> pieces = new LinkedHashSet<>();
      for (int i = random.nextInt(6); i > 0; i--) {
        int start = random.nextInt(290);
        pieces.add(text.substring(start, start + 2 + random.nextInt(3)));
      }
      pieces.addAll(List.of("\u2581", "a", "b", "c"));
      SentencePieceModel base = TestModels.model(pieces.toArray(String[]::new));
      int size = base.pieces().size();
      SentencePieceModel model = extended(base, List.of(text.toString()), config(size + 30));
      PieceMerges merges = PieceMerges.of(model);
      for (Piece piece : model.pieces().subList(size, size + 30)) {
        assertThat(merges.split(piece.text())).as("seed %d", seed).containsExactly(piece.text());
      }
    }
  }

  @Test
  void aSizeNotAboveTheBaseIsRefused() {
    assertThatThrownBy(() -> extended(420))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "extend-tokenizer.vocab-size: got 420, but the base has 420 pieces already; wanted"
                + " more, since it counts the base's and the new ones");
  }

  @Test
  void aBaseThatCannotGoOnMergingIsRefused() {
    for (SentencePieceModel.TrainerSpec spec :
        List.of(
            TestModels.spec(SentencePieceModel.ModelType.CHAR, true),
            TestModels.spec(SentencePieceModel.ModelType.BPE, false))) {
      SentencePieceModel base = TestModels.model(spec, TestModels.plain());
      assertThatThrownBy(() -> extended(base, TEXTS, config(400)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("tokenizer: its type is " + spec.modelType())
          .hasMessageContaining(
              ", wanted BPE with byte fallback, whose merges can go on; give one");
    }
  }

  @Test
  void aSizeWithoutRoomForTheCharactersIsRefused() {
    assertThatThrownBy(() -> extended(430, "han"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching(
            "extend-tokenizer.vocab-size: got 430, the text needs \\d+ \\(420 of the base, \\d+"
                + " characters that it lacks\\); raise it, or lower"
                + " extend-tokenizer.character-coverage");
  }

  @Test
  void aSizeThatTheTextCannotFillIsRefused() {
    assertThatThrownBy(() -> extended(5000, "cyrillic"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching(
            "extend-tokenizer.vocab-size: got 5,000, the text gives no more than \\d+ \\(420 of the"
                + " base, \\d+ new characters, \\d+ new merges of the writing systems \\[cyrillic\\]\\);"
                + " lower it, give more text, or widen extend-tokenizer.scripts");
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    assertThatThrownBy(() -> config(700, "chinese"))
        .hasMessage(
            "extend-tokenizer.scripts: got chinese, wanted names of Unicode's scripts, such as han,"
                + " hiragana or cyrillic");
    assertThatThrownBy(() -> config(2_000_000))
        .hasMessage("extend-tokenizer.vocab-size: got 2000000, wanted up to 1000000");
  }
}
