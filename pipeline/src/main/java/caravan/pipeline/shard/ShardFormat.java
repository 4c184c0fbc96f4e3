package caravan.pipeline.shard;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/**
 * Which other programs open token shards as they are. In every format a shard's {@code .bin} is
 * bare little-endian ids, so that the readers here read all of them.
 */
public enum ShardFormat {
  /** {@code train/shard-00000.bin}; nanoGPT's and numpy's. */
  CARAVAN,

  /** The same, and beside each {@code .bin} the {@code .idx} of Megatron's indexed datasets. */
  MEGATRON,

  /**
   * llama2.c's pretokenized shards, {@code tok32000/data00000.bin} of a vocabulary of 32,000:
   * uint16, BOS before each document, no EOS. The first is validation, the others are training.
   */
  LLAMA2C;

  private static final String LLAMA2C_FOLDER = "tok";

  /** What a shard is called, with its folder and without an ending. */
  public String shardName(String split, int index, int vocabSize) {
    if (this != LLAMA2C) return String.format(Locale.ROOT, "%s/shard-%05d", split, index);
    int file = split.equals(TokenManifest.VALIDATION) ? index : index + 1;
    return String.format(Locale.ROOT, "%s%d/data%05d", LLAMA2C_FOLDER, vocabSize, file);
  }

  /** Whether a path below an output directory is a shard's in some format. */
  public static boolean isShardPath(String path) {
    String folder = path.substring(0, Math.max(0, path.indexOf('/')));
    return TokenManifest.SPLITS.contains(folder)
        || folder.equals(TokenManifest.PROVENANCE)
        || folder.matches(LLAMA2C_FOLDER + "[0-9]+");
  }

  /** Whether the validation split must be one shard, and there be one. */
  public boolean needsOneValidationShard() {
    return this == LLAMA2C;
  }

  /** Whether documents may be parted by EOS. */
  public boolean takesEos() {
    return this != LLAMA2C;
  }

  /**
   * Refuses what the format has no place for.
   *
   * @throws IllegalArgumentException if ids of the type or a test split do not go into it
   */
  public void check(TokenType dtype, int vocabSize, boolean hasTest) {
    if (this != LLAMA2C) return;
    if (dtype != TokenType.UINT16) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "tokenize.format llama2c: the vocabulary has %,d ids, llama2.c's uint16 holds 65,536;"
                  + " take a smaller vocabulary or another format",
              vocabSize));
    }
    if (hasTest) {
      throw new IllegalArgumentException(
          "tokenize.format llama2c: it knows training and validation alone, got a test split;"
              + " leave out tokenize.test-fraction and tokenize.test-input, or take another format");
    }
  }

  @JsonValue
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
