package caravan.pipeline.tokenize;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SentencePieceTokenizerTest {
  /** Merges before the characters that they are made of, as trainers write them. */
  private static final String[] PIECES = {
    "he", "▁a", "中国", "llo", "ll", "hello", "▁▁", "😀😀", "▁", "a", "b", "h", "e", "l", "o", "中",
    "国", "\n", "😀"
  };

  private final SentencePieceTokenizer tokenizer = TestModels.tokenizer(PIECES);

  private static int id(String piece) {
    return TestModels.FIRST + Arrays.asList(PIECES).indexOf(piece);
  }

  private static int byteId(int value) {
    return 3 + value;
  }

  @Test
  void mergesGoBestFirstAndTheTextGetsASpaceBefore() {
    assertThat(tokenizer.encode("hello")).containsExactly(id("▁"), id("hello"));
    assertThat(tokenizer.encode("a 中国")).containsExactly(id("▁a"), id("▁"), id("中国"));
  }

  @Test
  void theEmptyTextHasNoIds() {
    assertThat(tokenizer.encode("")).isEmpty();
    assertThat(tokenizer.decode()).isEmpty();
  }

  @Test
  void aCharacterBeyondTheBasicPlaneThatNoPieceHoldsBecomesItsFourBytes() {
    assertThat(tokenizer.encode("a𠮷b"))
        .containsExactly(id("▁a"), byteId(0xF0), byteId(0xA0), byteId(0xAE), byteId(0xB7), id("b"));
  }

  @Test
  void aCharacterBeyondTheBasicPlaneThatAPieceHoldsBecomesThatPiece() {
    assertThat(tokenizer.encode("a😀b😀😀"))
        .containsExactly(id("▁a"), id("😀"), id("b"), id("😀😀"));
    assertThat(tokenizer.piece(id("😀😀"))).isEqualTo("😀😀");
  }

  @Test
  void aCharacterBeyondTheBasicPlaneThatOnlyLongerPiecesHoldBecomesItsOwnBytes() {
    Tokenizer pairs = TestModels.tokenizer("😀😀", "a", "▁");
    assertThat(pairs.encode("😀a"))
        .containsExactly(261, byteId(0xF0), byteId(0x9F), byteId(0x98), byteId(0x80), 260);
    assertThat(pairs.encode("😀😀")).containsExactly(261, 259);
  }

  @Test
  void aPrivateUseCharacterIsNotMistakenForTheOneThatStandsForAnEmoji() {
    assertThat(tokenizer.encode("a\uE000\uE001"))
        .containsExactly(
            id("▁a"),
            byteId(0xEE),
            byteId(0x80),
            byteId(0x80),
            byteId(0xEE),
            byteId(0x80),
            byteId(0x81));
    assertThat(tokenizer.decode(tokenizer.encode("😀\uE000"))).isEqualTo("😀\uE000");
  }

  @Test
  void theBytesOfATextAreCountedAsTheyAreWritten() {
    for (String line : MixedText.lines(300, 8)) {
      assertThat(DocumentEncoder.utf8Length(line)).isEqualTo(line.getBytes(UTF_8).length);
    }
    assertThat(DocumentEncoder.utf8Length("a\uD83D\uD83D\uDE00\uDE00")).isEqualTo(1 + 3 + 4 + 3);
  }

  @Test
  void theNulCharacterIsOneByte() {
    assertThat(tokenizer.encode("a\0b")).containsExactly(id("▁a"), byteId(0), id("b"));
  }

  @Test
  void namesOfSpecialPiecesInATextAreText() {
    assertThat(tokenizer.encode("<s>")).doesNotContain(1).hasSize(4);
    assertThat(tokenizer.decode(tokenizer.encode("<s></s><unk><0x41>")))
        .isEqualTo("<s></s><unk><0x41>");
  }

  @Test
  void decodingGivesBackAnyText() {
    String[] parts = {
      "hello",
      "he",
      "a",
      " ",
      "  ",
      "\n",
      "\t",
      "中国",
      "中",
      "国",
      "😀",
      "𠮷",
      "é",
      "e\u0301",
      "\0",
      "\uE000",
      "\uF8FF",
      "，",
      "\u3000",
      "<0x0A>",
      "\uFFFD",
      "👨‍👩‍👧",
      "Z"
    };
    Random random = new Random(7);
    for (int i = 0; i < 2000; i++) {
      StringBuilder text = new StringBuilder();
      for (int n = random.nextInt(30); n > 0; n--) text.append(parts[random.nextInt(parts.length)]);
      assertThat(tokenizer.decode(tokenizer.encode(text.toString()))).isEqualTo(text.toString());
    }
  }

  @Test
  void anUnpairedSurrogateIsReadAsTheReplacementCharacter() {
    assertThat(tokenizer.decode(tokenizer.encode("a\uD83Db"))).isEqualTo("a\uFFFDb");
    assertThat(tokenizer.decode(tokenizer.encode("a\uDE00"))).isEqualTo("a\uFFFD");
  }

  @Test
  void cuttingATextWhereNoPieceJoinsItDoesNotChangeItsIds() {
    // "hh" stands in no piece, so that the parts meet there; the other joints are inside pieces.
    int[] part = tokenizer.encode("hello");
    String text = "hello".repeat(3);
    int[] once = Arrays.copyOfRange(part, 1, part.length);
    assertThat(tokenizer.encode(text)).startsWith(part).endsWith(once).hasSize(1 + 3 * once.length);
  }

  @Test
  void aLongTextWithoutAnyPlaceToCutKeepsEveryCharacter() {
    String text = "l".repeat(SentencePieceTokenizer.MAX_RUN_CHARS + 100_001);
    assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
  }

  @Test
  void bytesThatAreNoCharacterDecodeToOneReplacementEach() {
    assertThat(tokenizer.decode(byteId(0xE4), byteId(0xB8), id("a"))).isEqualTo("\uFFFD\uFFFDa");
    assertThat(tokenizer.decode(byteId(0xE4), byteId(0xB8), byteId(0xAD))).isEqualTo("中");
    assertThat(tokenizer.decode(byteId(0xED), byteId(0xA0), byteId(0xBD)))
        .isEqualTo("\uFFFD\uFFFD\uFFFD");
    assertThat(tokenizer.decode(byteId(0xC0), byteId(0x80))).isEqualTo("\uFFFD\uFFFD");
  }

  @Test
  void controlPiecesVanishAndTheFirstSpaceStillGoes() {
    assertThat(tokenizer.decode(1, id("▁a"), id("▁a"), 2)).isEqualTo("a a");
    assertThat(tokenizer.decode(id("a"), 0, id("b"))).isEqualTo("a \u2047 b");
  }

  @Test
  void anIdOutsideTheVocabularyIsRefused() {
    assertThatThrownBy(() -> tokenizer.decode(99_999))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "token id 99,999 is outside the vocabulary of 278 pieces; use the tokenizer that made"
                + " the ids");
  }

  @Test
  void specialIdsAreFoundByTheirPieces() {
    assertThat(tokenizer.vocabSize()).isEqualTo(278);
    assertThat(tokenizer.unkId()).isZero();
    assertThat(tokenizer.bosId()).isEqualTo(1);
    assertThat(tokenizer.eosId()).isEqualTo(2);
  }

  @Test
  void deserializedCopiesAreTheOneInstanceOfTheirModel() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(tokenizer);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isSameAs(tokenizer);
    }
    assertThat(TestModels.tokenizer("▁", "a")).isNotSameAs(tokenizer);
  }

  @Test
  void threadsThatShareATokenizerGetTheSameIds() {
    List<String> texts = IntStream.range(0, 500).mapToObj(i -> "hello a 中国😀 " + i).toList();
    List<int[]> alone = texts.stream().map(tokenizer::encode).toList();
    List<int[]> together = texts.parallelStream().map(tokenizer::encode).toList();
    for (int i = 0; i < alone.size(); i++) assertThat(together.get(i)).isEqualTo(alone.get(i));
  }

  @Test
  void aFileThatIsNoModelIsRefused() {
    assertThatThrownBy(() -> SentencePieceTokenizer.of("not a model".getBytes(), "x/t.model"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("x/t.model: its 11 bytes are no SentencePiece model (")
        .hasMessageEndingWith(
            "give the tokenizer.model that train-tokenizer or sentencepiece wrote");
  }

  @Test
  void modelsThatWouldLoseTextAreRefused() {
    assertRefused(
        TestModels.model(TestModels.spec(ModelType.UNIGRAM, true), TestModels.plain()),
        "its type is UNIGRAM, wanted BPE or CHAR");
    assertRefused(
        TestModels.model(TestModels.spec(ModelType.BPE, false), TestModels.plain()),
        "it has no byte fallback, so that rare characters would be lost");
    assertRefused(
        TestModels.model(
            TestModels.spec(ModelType.BPE, true),
            new NormalizerSpec("identity", false, true, true, true)),
        "it removes spaces (remove_extra_whitespaces), wanted text kept as it is");
  }

  private static void assertRefused(SentencePieceModel model, String reason) {
    assertThatThrownBy(() -> SentencePieceTokenizer.of(model.toBytes(), "other.model"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "other.model: this tokenizer is not usable here: "
                + reason
                + "; give one that train-tokenizer made, or a Llama-2 style tokenizer.model");
  }

  @Test
  void aModelFileReadAndWrittenIsTheSameFile() throws IOException {
    byte[] bytes = TestModels.model(PIECES).toBytes();
    SentencePieceModel read = SentencePieceModel.parse(bytes, "test.model");
    assertThat(read).isEqualTo(TestModels.model(PIECES));
    assertThat(read.toBytes()).isEqualTo(bytes);
  }
}
