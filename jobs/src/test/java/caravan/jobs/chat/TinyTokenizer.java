package caravan.jobs.chat;

import caravan.pipeline.tokenize.SentencePieceModel;
import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import caravan.pipeline.tokenize.SentencePieceModel.Specials;
import caravan.pipeline.tokenize.SentencePieceModel.TrainerSpec;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** A real SentencePiece vocabulary of some 350 pieces, learned from a few lines by BPE. */
public final class TinyTokenizer {
  private static final String TEXT =
      "Human: Human: Human: Human: Assistant: Assistant: Assistant: Assistant: System: the the the"
          + " the sky is is is blue blue what what colour has has the sea the grass green and"
          + " \u5929\u7a7a \u5929\u7a7a \u662f\u4ec0\u4e48 \u989c\u8272 \u84dd\u8272 \u84dd\u8272"
          + " \u4f60\u597d \u4f60\u597d \u6211 \u53eb";
  private static final int MERGES = 60;

  private TinyTokenizer() {}

  /** Like Llama-2's: byte fallback, a space before every text. */
  public static SentencePieceTokenizer create() {
    return create(true);
  }

  /**
   * @param dummyPrefix whether a space is put before every text
   */
  public static SentencePieceTokenizer create(boolean dummyPrefix) {
    List<Piece> pieces = new ArrayList<>();
    pieces.add(new Piece("<unk>", 0, PieceType.UNKNOWN));
    pieces.add(new Piece("<s>", 0, PieceType.CONTROL));
    pieces.add(new Piece("</s>", 0, PieceType.CONTROL));
    for (int b = 0; b < 256; b++) {
      pieces.add(new Piece("<0x%02X>".formatted(b), 0, PieceType.BYTE));
    }
    int first = pieces.size();
    for (String text : learned()) {
      pieces.add(new Piece(text, first - pieces.size(), PieceType.NORMAL));
    }
    TrainerSpec trainer =
        new TrainerSpec(
            ModelType.BPE,
            pieces.size(),
            1,
            16,
            true,
            true,
            true,
            true,
            false,
            false,
            true,
            List.of(),
            List.of(),
            Specials.DEFAULT);
    var normalizer = new NormalizerSpec("identity", false, dummyPrefix, false, true);
    return SentencePieceTokenizer.of(
        new SentencePieceModel(pieces, trainer, normalizer).toBytes(), "tiny tokenizer");
  }

  /** Merges in the order they were learned, then single characters. */
  private static Set<String> learned() {
    List<List<String>> words = new ArrayList<>();
    for (String word : TEXT.split(" ")) {
      words.add(
          new ArrayList<>(("\u2581" + word).codePoints().mapToObj(Character::toString).toList()));
    }
    Set<String> characters = new LinkedHashSet<>();
    words.forEach(characters::addAll);
    Set<String> pieces = new LinkedHashSet<>();
    for (int i = 0; i < MERGES; i++) {
      TreeMap<String, Integer> pairs = new TreeMap<>();
      for (List<String> word : words) {
        for (int j = 1; j < word.size(); j++) {
          pairs.merge(word.get(j - 1) + " " + word.get(j), 1, Integer::sum);
        }
      }
      String best =
          pairs.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
      words.forEach(word -> merge(word, Arrays.asList(best.split(" "))));
      pieces.add(best.replace(" ", ""));
    }
    pieces.addAll(characters);
    return pieces;
  }

  private static void merge(List<String> word, List<String> pair) {
    for (int j = 1; j < word.size(); j++) {
      if (word.subList(j - 1, j + 1).equals(pair)) {
        word.set(j - 1, word.get(j - 1) + word.remove(j));
      }
    }
  }
}
