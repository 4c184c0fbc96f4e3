package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import caravan.pipeline.tokenize.SentencePieceModel.Specials;
import caravan.pipeline.tokenize.SentencePieceModel.TrainerSpec;
import java.util.ArrayList;
import java.util.List;

/** Vocabularies spelled out by hand: unk 0, BOS 1, EOS 2, bytes 3 to 258, pieces from 259. */
public final class TestModels {
  /** Id of the first piece that a test names. */
  public static final int FIRST = 259;

  private static final NormalizerSpec PLAIN =
      new NormalizerSpec("identity", false, true, false, true);

  private TestModels() {}

  /** A tokenizer whose merges have the order of its pieces. */
  public static SentencePieceTokenizer tokenizer(String... pieces) {
    return SentencePieceTokenizer.of(model(pieces).toBytes(), "test.model");
  }

  static SentencePieceModel model(String... pieces) {
    return new SentencePieceModel(pieces(List.of(pieces)), spec(ModelType.BPE, true), PLAIN);
  }

  static SentencePieceModel model(TrainerSpec trainer, NormalizerSpec normalizer) {
    return new SentencePieceModel(pieces(List.of("\u2581", "a")), trainer, normalizer);
  }

  static NormalizerSpec plain() {
    return PLAIN;
  }

  static TrainerSpec spec(ModelType type, boolean byteFallback) {
    return new TrainerSpec(
        type,
        300,
        0.9995f,
        16,
        true,
        true,
        true,
        true,
        true,
        false,
        byteFallback,
        List.of(),
        List.of(),
        Specials.DEFAULT);
  }

  private static List<Piece> pieces(List<String> texts) {
    List<Piece> pieces = new ArrayList<>();
    pieces.add(new Piece("<unk>", 0, PieceType.UNKNOWN));
    pieces.add(new Piece("<s>", 0, PieceType.CONTROL));
    pieces.add(new Piece("</s>", 0, PieceType.CONTROL));
    for (int b = 0; b < 256; b++) {
      pieces.add(new Piece(String.format("<0x%02X>", b), 0, PieceType.BYTE));
    }
    for (String text : texts) {
      pieces.add(new Piece(text, FIRST - pieces.size(), PieceType.NORMAL));
    }
    return pieces;
  }
}
