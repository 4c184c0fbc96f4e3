package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import caravan.pipeline.tokenize.SentencePieceModel.Specials;
import caravan.pipeline.tokenize.SentencePieceModel.TrainerSpec;
import java.util.ArrayList;
import java.util.List;

/** How a {@link SentencePieceModel} lies in its file: the fields of sentencepiece_model.proto. */
final class SentencePieceModelFile {
  private SentencePieceModelFile() {}

  /**
   * The character rules of a model file that {@link SentencePieceModel#parse} takes; null if it has
   * none.
   */
  static CharacterRules characterRules(byte[] bytes) {
    for (Protobuf.Reader in = new Protobuf.Reader(bytes); in.hasNext(); ) {
      if (in.field() != 3) {
        in.skip();
        continue;
      }
      Protobuf.Reader normalizer = in.message();
      while (normalizer.hasNext()) {
        if (normalizer.field() != 2) {
          normalizer.skip();
          continue;
        }
        byte[] blob = normalizer.message().rest();
        if (blob.length > 0) return new CharacterRules(blob);
      }
    }
    return null;
  }

  static SentencePieceModel parse(Protobuf.Reader in) {
    List<Piece> pieces = new ArrayList<>();
    Protobuf.Reader trainer = new Protobuf.Reader(new byte[0]);
    Protobuf.Reader normalizer = new Protobuf.Reader(new byte[0]);
    while (in.hasNext()) {
      switch (in.field()) {
        case 1 -> pieces.add(parsePiece(in.message()));
        case 2 -> trainer = in.message();
        case 3 -> normalizer = in.message();
        default -> in.skip();
      }
    }
    if (pieces.isEmpty()) throw new IllegalArgumentException("it has no pieces");
    return new SentencePieceModel(pieces, parseTrainer(trainer), parseNormalizer(normalizer));
  }

  private static Piece parsePiece(Protobuf.Reader in) {
    String text = "";
    float score = 0;
    PieceType type = PieceType.NORMAL;
    while (in.hasNext()) {
      switch (in.field()) {
        case 1 -> text = in.string();
        case 2 -> score = in.float32();
        case 3 -> type = PieceType.of(in.integer());
        default -> in.skip();
      }
    }
    return new Piece(text, score, type);
  }

  private static TrainerSpec parseTrainer(Protobuf.Reader in) {
    // The defaults are sentencepiece_model.proto's.
    ModelType modelType = ModelType.UNIGRAM;
    int vocabSize = 8000;
    float coverage = 0.9995f;
    int maxPieceLength = 16;
    boolean byScript = true;
    boolean byWhitespace = true;
    boolean byNumber = true;
    boolean digits = false;
    boolean whitespaceOnly = false;
    boolean suffix = false;
    boolean byteFallback = false;
    List<String> controls = new ArrayList<>();
    List<String> symbols = new ArrayList<>();
    Protobuf.Reader start = in.copy();
    while (in.hasNext()) {
      switch (in.field()) {
        case 3 -> modelType = modelType(in.integer());
        case 4 -> vocabSize = (int) in.integer();
        case 10 -> coverage = in.float32();
        case 20 -> maxPieceLength = (int) in.integer();
        case 21 -> byScript = in.bool();
        case 22 -> byWhitespace = in.bool();
        case 23 -> byNumber = in.bool();
        case 24 -> suffix = in.bool();
        case 25 -> digits = in.bool();
        case 26 -> whitespaceOnly = in.bool();
        case 30 -> controls.add(in.string());
        case 31 -> symbols.add(in.string());
        case 35 -> byteFallback = in.bool();
        default -> in.skip();
      }
    }
    return new TrainerSpec(
        modelType,
        vocabSize,
        coverage,
        maxPieceLength,
        byScript,
        byWhitespace,
        byNumber,
        digits,
        whitespaceOnly,
        suffix,
        byteFallback,
        controls,
        symbols,
        parseSpecials(start));
  }

  private static Specials parseSpecials(Protobuf.Reader in) {
    int[] ids = {0, 1, 2, -1};
    String[] texts = {
      Specials.DEFAULT.unkSurface(),
      Specials.DEFAULT.unkPiece(),
      Specials.DEFAULT.bosPiece(),
      Specials.DEFAULT.eosPiece(),
      Specials.DEFAULT.padPiece()
    };
    while (in.hasNext()) {
      int field = in.field();
      if (field >= 40 && field <= 43) ids[field - 40] = (int) in.integer();
      else if (field >= 44 && field <= 48) texts[field - 44] = in.string();
      else in.skip();
    }
    return new Specials(
        ids[0], ids[1], ids[2], ids[3], texts[1], texts[2], texts[3], texts[4], texts[0]);
  }

  private static ModelType modelType(long number) {
    if (number < 1 || number > ModelType.values().length) {
      throw new IllegalArgumentException("model type " + number + ", known are 1 to 4");
    }
    return ModelType.values()[(int) number - 1];
  }

  private static NormalizerSpec parseNormalizer(Protobuf.Reader in) {
    String name = "";
    boolean hasRules = false;
    boolean dummyPrefix = true;
    boolean removeExtra = true;
    boolean escape = true;
    while (in.hasNext()) {
      switch (in.field()) {
        case 1 -> name = in.string();
        case 2 -> hasRules = in.message().hasNext();
        case 3 -> dummyPrefix = in.bool();
        case 4 -> removeExtra = in.bool();
        case 5 -> escape = in.bool();
        default -> in.skip();
      }
    }
    return new NormalizerSpec(name, hasRules, dummyPrefix, removeExtra, escape);
  }

  static byte[] bytes(SentencePieceModel model) {
    NormalizerSpec normalizer = model.normalizer();
    if (normalizer.hasRules()) {
      throw new IllegalStateException("the rules of normalizer " + normalizer.name() + " are lost");
    }
    Protobuf.Writer out = new Protobuf.Writer();
    for (Piece piece : model.pieces()) {
      Protobuf.Writer message =
          new Protobuf.Writer().string(1, piece.text()).float32(2, piece.score());
      if (piece.type() != PieceType.NORMAL) message.integer(3, piece.type().number());
      out.bytes(1, message.toBytes());
    }
    return out.bytes(2, trainerBytes(model.trainer()))
        .bytes(3, normalizerBytes(normalizer))
        .toBytes();
  }

  private static byte[] trainerBytes(TrainerSpec trainer) {
    Protobuf.Writer out =
        new Protobuf.Writer()
            .integer(3, trainer.modelType().ordinal() + 1)
            .integer(4, trainer.vocabSize())
            .float32(10, trainer.characterCoverage())
            .integer(20, trainer.maxPieceLength())
            .bool(21, trainer.splitByUnicodeScript())
            .bool(22, trainer.splitByWhitespace())
            .bool(23, trainer.splitByNumber())
            .bool(24, trainer.whitespaceAsSuffix())
            .bool(25, trainer.splitDigits())
            .bool(26, trainer.allowWhitespaceOnlyPieces());
    for (String symbol : trainer.controlSymbols()) out.string(30, symbol);
    for (String symbol : trainer.userDefinedSymbols()) out.string(31, symbol);
    Specials specials = trainer.specials();
    return out.bool(35, trainer.byteFallback())
        .integer(40, specials.unkId())
        .integer(41, specials.bosId())
        .integer(42, specials.eosId())
        .integer(43, specials.padId())
        .string(44, specials.unkSurface())
        .string(45, specials.unkPiece())
        .string(46, specials.bosPiece())
        .string(47, specials.eosPiece())
        .string(48, specials.padPiece())
        .toBytes();
  }

  private static byte[] normalizerBytes(NormalizerSpec normalizer) {
    return new Protobuf.Writer()
        .string(1, normalizer.name())
        .bool(3, normalizer.addDummyPrefix())
        .bool(4, normalizer.removeExtraWhitespaces())
        .bool(5, normalizer.escapeWhitespaces())
        .toBytes();
  }
}
