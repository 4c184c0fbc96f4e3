package caravan.jobs;

import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import caravan.pipeline.tokenize.Encoder;
import caravan.pipeline.tokenize.SentencePiece;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import caravan.pipeline.tokenize.Tokenizer;
import caravan.pipeline.tokenize.TokenizerFiles;
import caravan.pipeline.tokenize.TokenizerJson;
import caravan.pipeline.tokenize.TrainTokenizerStage;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/** Where tokenizers lie. */
final class Tokenizers {
  /** Name of a SentencePiece model, beside token shards and in checkpoints. */
  static final String FILE = "tokenizer.model";

  private Tokenizers() {}

  /** What a checkpoint carries of a tokenizer, so that transformers opens it too; by file name. */
  static Map<String, byte[]> files(Tokenizer tokenizer) {
    Map<String, byte[]> files = new HashMap<>(tokenizer.files());
    if (tokenizer instanceof SentencePiece sentencePiece) {
      files.put(
          TrainTokenizerStage.CONFIG_FILE, Json.bytes(sentencePiece.model().transformersConfig()));
    }
    return files;
  }

  /**
   * @param location a tokenizer.model, or a directory that holds one
   * @throws IllegalArgumentException when there is none, or it is no SentencePiece model
   */
  static SentencePieceTokenizer readSentencePiece(String location, Configuration hadoop) {
    Tokenizer tokenizer = read(location, hadoop);
    if (tokenizer instanceof SentencePieceTokenizer sentencePiece) {
      return sentencePiece;
    }
    throw new IllegalArgumentException(
        "tokenizer %s: it is byte-level BPE, wanted a SentencePiece tokenizer.model"
            .formatted(location));
  }

  /**
   * @param location a tokenizer.model (SentencePiece or Llama-3's) or tokenizer.json, or a
   *     directory that holds one of them
   * @throws IllegalArgumentException when there is none
   */
  static Tokenizer read(String location, Configuration hadoop) {
    return read(location, Encoder.SPARK_NLP, hadoop);
  }

  /**
   * As above, by a chosen encoder of SentencePiece models.
   *
   * @throws IllegalArgumentException when there is none, or the encoder has no use for it
   */
  static Tokenizer read(String location, Encoder encoder, Configuration hadoop) {
    Storage storage = new Storage(hadoop);
    Path path = new Path(location);
    boolean directory = storage.status(path).filter(FileStatus::isDirectory).isPresent();
    Path folder = directory ? path : path.getParent();
    Map<String, byte[]> files = new HashMap<>();
    if (directory) {
      for (String name : TokenizerFiles.NAMES) {
        put(files, name, new Path(path, name), storage);
      }
    } else {
      String name = path.getName().endsWith(".json") ? TokenizerJson.FILE : FILE;
      put(files, name, path, storage);
    }
    if (files.isEmpty()) {
      throw new IllegalArgumentException(
          "tokenizer %s: no such file; wanted a tokenizer.model, as train-tokenizer makes, or a tokenizer.json"
              .formatted(directory ? new Path(path, FILE) : path));
    }
    if (files.containsKey(TokenizerJson.FILE) && folder != null) {
      put(
          files,
          TrainTokenizerStage.CONFIG_FILE,
          new Path(folder, TrainTokenizerStage.CONFIG_FILE),
          storage);
    }
    return directory
        ? TokenizerFiles.open(files, encoder, path.toString())
        : TokenizerFiles.openFile(files, encoder, path.toString());
  }

  private static void put(Map<String, byte[]> files, String name, Path file, Storage storage) {
    if (storage.exists(file)) {
      files.put(name, storage.read(file));
    }
  }
}
