package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The native library is the oracle: whatever the vocabulary and the text, ids are the same. */
class FastSentencePieceTest {
  private static final String[] CHARACTERS = {
    "a", "b", "c", "E", "▁", "▁", "中", "国", "人", "，", "é", "\u0301", "1", "\n", "😀", "𠮷", "<", "ﷺ"
  };
  private static final String[] ODD = {
    " ",
    "  ",
    "\0",
    "\t",
    "\r",
    "\uD83D",
    "\uDE00",
    "\uFFFD",
    "\uFEFF",
    "\uE000",
    "龘",
    "🦖",
    "▁▁▁",
    "<s>",
    "</s>",
    "<unk>",
    "<0x41>",
    "\uFFFF",
    "\u200B",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  };

  /** Pieces of few characters, with scores of which many are equal and none follows from length. */
  private static SentencePieceModel vocabulary(Random random) {
    return vocabulary(random, false);
  }

  /**
   * @param unused whether some of the pieces are not to be used
   */
  static SentencePieceModel vocabulary(Random random, boolean unused) {
    Set<String> texts = new LinkedHashSet<>();
    for (String character : CHARACTERS) {
      if (random.nextInt(8) > 0) texts.add(character);
    }
    int characters = texts.size();
    for (int i = 20 + random.nextInt(300); i > 0; i--) {
      StringBuilder text = new StringBuilder();
      for (int n = 2 + random.nextInt(4); n > 0; n--) {
        text.append(CHARACTERS[random.nextInt(CHARACTERS.length)]);
      }
      texts.add(text.toString());
    }
    List<Piece> pieces = new ArrayList<>(TestModels.model().pieces());
    int equal = 1 + random.nextInt(50);
    for (String text : texts) {
      boolean userDefined = pieces.size() > characters + 262 && random.nextInt(40) == 0;
      pieces.add(
          new Piece(
              text,
              -random.nextInt(equal),
              userDefined
                  ? PieceType.USER_DEFINED
                  : unused && random.nextInt(4) == 0 ? PieceType.UNUSED : PieceType.NORMAL));
    }
    return new SentencePieceModel(
        pieces,
        TestModels.spec(ModelType.BPE, true),
        new NormalizerSpec("identity", false, random.nextBoolean(), false, true));
  }

  static String text(Random random) {
    StringBuilder text = new StringBuilder();
    int most = random.nextInt(10) == 0 ? 300 : 20;
    for (int n = random.nextInt(most); n >= 0; n--) {
      switch (random.nextInt(8)) {
        case 0 -> text.append(ODD[random.nextInt(ODD.length)]);
        case 1 -> text.appendCodePoint(random.nextInt(Character.MAX_CODE_POINT + 1));
        default -> text.append(CHARACTERS[random.nextInt(CHARACTERS.length)]);
      }
    }
    return text.toString();
  }

  @Test
  void anyVocabularyAndAnyTextGiveTheOraclesIds() {
    for (int seed = 0; seed < 40; seed++) {
      Random random = new Random(seed);
      byte[] model = vocabulary(random).toBytes();
      Tokenizer oracle = SentencePieceTokenizer.of(model, "test.model");
      Tokenizer fast = FastSentencePiece.of(model, "test.model");
      for (int i = 0; i < 400; i++) {
        String text = text(random);
        assertThat(fast.encode(text)).as("seed %s: %s", seed, text).isEqualTo(oracle.encode(text));
      }
    }
  }

  @Test
  void textsLongerThanTheWindowGiveTheOraclesIds() {
    Random random = new Random(99);
    byte[] model = vocabulary(random).toBytes();
    Tokenizer oracle = SentencePieceTokenizer.of(model, "test.model");
    Tokenizer fast = FastSentencePiece.of(model, "test.model");
    for (int i = 0; i < 20; i++) {
      StringBuilder text = new StringBuilder();
      while (text.length() < 30_000) text.append(text(random));
      assertThat(Arrays.equals(fast.encode(text.toString()), oracle.encode(text.toString())))
          .isTrue();
    }
  }

  @Test
  void runsThatAreTooLongAreCutWhereTheOracleCutsThem() {
    byte[] model = TestModels.model("ab", "ba", "aab", "aa", "aaaa", "a", "b", "c").toBytes();
    String run = "a".repeat(700_001) + "b" + "a".repeat(500_000);
    String text = "c" + run + "c" + run + "b".repeat(2_300_000);
    int[] ids = FastSentencePiece.of(model, "test.model").encode(text);
    assertThat(Arrays.equals(ids, SentencePieceTokenizer.of(model, "test.model").encode(text)))
        .isTrue();
  }

  @Test
  void mixedLinesOfAVocabularyThatIsUsedGiveTheOraclesIdsAndDecode() {
    byte[] model = TestModels.model("▁t", "he", "▁the", "in", "的", "，", "天气", "▁", "😀").toBytes();
    Tokenizer oracle = SentencePieceTokenizer.of(model, "test.model");
    Tokenizer fast = FastSentencePiece.of(model, "test.model");
    for (String line : MixedText.lines(2000, 11)) {
      assertThat(fast.encode(line)).as(line).isEqualTo(oracle.encode(line));
      assertThat(fast.decode(fast.encode(line))).isEqualTo(line);
    }
    assertThat(fast.sha256()).isEqualTo(oracle.sha256());
    assertThat(fast.bosId()).isEqualTo(oracle.bosId());
    assertThat(fast.eosId()).isEqualTo(oracle.eosId());
    assertThat(fast.unkId()).isEqualTo(oracle.unkId());
    assertThat(fast.vocabSize()).isEqualTo(oracle.vocabSize());
  }

  @Test
  void threadsThatShareATokenizerGetTheSameIds() {
    Tokenizer fast = FastSentencePiece.of(TestModels.model("▁a", "ab").toBytes(), "test.model");
    List<String> texts = IntStream.range(0, 2000).mapToObj(i -> "ab a 中国😀 " + i).toList();
    List<int[]> alone = texts.stream().map(fast::encode).toList();
    List<int[]> together = texts.parallelStream().map(fast::encode).toList();
    for (int i = 0; i < alone.size(); i++) assertThat(together.get(i)).isEqualTo(alone.get(i));
  }

  @Test
  void deserializedCopiesAreTheOneInstanceOfTheirModel() throws Exception {
    Tokenizer fast = FastSentencePiece.of(TestModels.model("▁a").toBytes(), "test.model");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(fast);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isSameAs(fast);
    }
  }

  @Test
  void aFileThatIsNoModelIsRefused() {
    assertThatThrownBy(() -> FastSentencePiece.of("not a model".getBytes(), "x/t.model"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("x/t.model: its 11 bytes are no SentencePiece model (");
  }
}
