package caravan.jobs;

import caravan.model.checkpoint.Llama2cTokenizer;
import caravan.pipeline.tokenize.TokenBuffer;
import caravan.pipeline.tokenize.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.IntStream;

/** A llama2.c tokenizer.bin as a tokenizer of text: UTF-8 in, UTF-8 out. */
final class Llama2cText implements Tokenizer {
  private static final long serialVersionUID = 1;
  private static final int UNK = 0;
  private static final int BOS = 1;
  private static final int EOS = 2;

  private final byte[] file;
  private final int vocabSize;
  private transient Llama2cTokenizer tokenizer;

  /**
   * @param file contents of tokenizer.bin
   * @param vocabSize the model's, which the file does not name
   */
  Llama2cText(byte[] file, int vocabSize) {
    this.file = file.clone();
    this.vocabSize = vocabSize;
    this.tokenizer = new Llama2cTokenizer(file, vocabSize);
  }

  @Override
  public void encodeTo(String text, TokenBuffer ids) {
    ids.add(tokenizer().encode(text.getBytes(StandardCharsets.UTF_8)));
  }

  @Override
  public String decode(int... ids) {
    IntStream text = Arrays.stream(ids).filter(id -> id != BOS && id != EOS);
    // After a BOS the space that encoding puts before every text is taken away.
    int[] opened = IntStream.concat(IntStream.of(BOS), text).toArray();
    return new String(tokenizer().decode(opened), StandardCharsets.UTF_8);
  }

  @Override
  public int vocabSize() {
    return vocabSize;
  }

  @Override
  public int bosId() {
    return BOS;
  }

  @Override
  public int eosId() {
    return EOS;
  }

  @Override
  public int unkId() {
    return UNK;
  }

  @Override
  public String piece(int id) {
    return new String(tokenizer().decode(id), StandardCharsets.UTF_8);
  }

  @Override
  public String sha256() {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(file));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  private synchronized Llama2cTokenizer tokenizer() {
    if (tokenizer == null) {
      tokenizer = new Llama2cTokenizer(file, vocabSize);
    }
    return tokenizer;
  }
}
