package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.Map;

/** A tokenizer that is a SentencePiece model file. */
public interface SentencePiece extends Tokenizer {
  /** The model file's bytes as they were read, and where from. */
  record ModelFile(byte[] bytes, String location, String sha256) {
    static ModelFile of(byte[] bytes, String location) {
      return new ModelFile(bytes.clone(), location, TokenizerFiles.hash(bytes));
    }
  }

  /** What crosses between JVMs in a tokenizer's place: each JVM opens a model file once. */
  record Serialized(Encoder encoder, byte[] model, String location) implements Serializable {
    private Object readResolve() {
      return encoder.open(model, location);
    }
  }

  /** The parsed model file. */
  SentencePieceModel model();

  /** The model file; its bytes are not to be changed. */
  ModelFile file();

  /** A copy of the model file. */
  default byte[] toBytes() {
    return file().bytes().clone();
  }

  @Override
  default Map<String, byte[]> files() {
    return Map.of(TrainTokenizerStage.MODEL_FILE, toBytes());
  }

  @Override
  default int vocabSize() {
    return model().pieces().size();
  }

  @Override
  default int bosId() {
    return model().controlId(model().trainer().specials().bosPiece());
  }

  @Override
  default int eosId() {
    return model().controlId(model().trainer().specials().eosPiece());
  }

  @Override
  default String piece(int id) {
    return model().pieces().get(Ids.requireInVocabulary(id, vocabSize())).text();
  }

  @Override
  default String sha256() {
    return file().sha256();
  }
}
