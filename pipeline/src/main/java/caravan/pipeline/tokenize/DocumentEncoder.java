package caravan.pipeline.tokenize;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.dedup.TextKey;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import net.openhft.hashing.LongHashFunction;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;

/**
 * Encodes documents one by one and gives each its place: which split, and where in the split's
 * shuffled order. The split depends on the text and the held-out inputs alone, the order on source,
 * id and seed. Gives blocks of {@link EncodedDocument}.
 */
final class DocumentEncoder implements FlatMapFunction<Iterator<DocumentIterator>, byte[]> {
  private static final long serialVersionUID = 1;

  private final Broadcast<Map<String, byte[]>> model;
  private final Broadcast<HeldOutTexts> heldOut;
  private final TokenType dtype;
  private final TokenizeConfig config;
  private final long seed;
  private final String given;

  /**
   * @param given the split that the documents are, or {@link SplitInputs#BY_HASH}
   */
  DocumentEncoder(
      Broadcast<Map<String, byte[]>> model,
      Broadcast<HeldOutTexts> heldOut,
      TokenType dtype,
      TokenizeConfig config,
      long seed,
      String given) {
    this.model = model;
    this.heldOut = heldOut;
    this.dtype = dtype;
    this.config = config;
    this.seed = seed;
    this.given = given;
  }

  @Override
  public Iterator<byte[]> call(Iterator<DocumentIterator> readers) {
    Tokenizer tokenizer = tokenizer();
    TokenBuffer ids = new TokenBuffer();
    TextKey key = new TextKey();
    Iterator<scala.Tuple2<Integer, byte[]>> blocks =
        BlockPacker.pack(
            ChainedDocuments.of(readers),
            1,
            (document, packer) -> encode(document, tokenizer, ids, key, packer));
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return blocks.hasNext();
      }

      @Override
      public byte[] next() {
        return blocks.next()._2();
      }
    };
  }

  /** Documents name no special tokens: what looks like one is text. */
  private Tokenizer tokenizer() {
    Tokenizer tokenizer = TokenizerFiles.open(model.value(), config.encoder(), "tokenizer");
    return tokenizer instanceof ByteLevelTokenizer byteLevel
        ? byteLevel.withoutSpecialTokens()
        : tokenizer;
  }

  private void encode(
      Document document, Tokenizer tokenizer, TokenBuffer ids, TextKey key, BlockPacker packer) {
    String text = document.text();
    long content = key.of(text);
    String kind = kind(document, content);
    boolean isWritten = TokenManifest.SPLITS.contains(kind);
    ids.clear();
    if (isWritten) {
      ids.add(tokenizer.bosId());
      tokenizer.encodeTo(text, ids);
      if (config.writesEos()) ids.add(tokenizer.eosId());
    }
    EncodedDocument.Header header =
        EncodedDocument.Header.of(
            kind,
            place(document.source(), document.id(), 0, seed),
            content,
            isWritten ? utf8Length(text) : 0,
            document.source(),
            document.language(),
            document.id());
    int tokenBytes = Math.multiplyExact(ids.size(), dtype.bytes());
    ByteBuffer block = packer.room(0, header.recordBytes(tokenBytes));
    header.writeTo(block, tokenBytes);
    ids.writeTo(block, dtype);
  }

  private String kind(Document document, long content) {
    Optional<String> reason = Documents.unreadableReason(document);
    if (reason.isEmpty()) return split(content);
    return Documents.isBroken(reason.get())
        ? EncodedDocument.UNREADABLE
        : EncodedDocument.PUT_ASIDE;
  }

  /** A held-out text is in one split only: test before validation before the corpus. */
  private String split(long content) {
    if (given.equals(TokenManifest.TEST)) return given;
    if (heldOut.value().inTest(content)) return EncodedDocument.IN_TEST;
    if (given.equals(TokenManifest.VALIDATION)) return given;
    return heldOut.value().inValidation(content)
        ? EncodedDocument.IN_VALIDATION
        : config.split(content);
  }

  /** Bytes of a text in UTF-8, where half a character is U+FFFD. */
  static long utf8Length(String text) {
    long bytes = text.length();
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) continue;
      // Half of a pair is two of the pair's four bytes.
      boolean pair =
          Character.isHighSurrogate(c)
                  && i + 1 < text.length()
                  && Character.isLowSurrogate(text.charAt(i + 1))
              || Character.isLowSurrogate(c)
                  && i > 0
                  && Character.isHighSurrogate(text.charAt(i - 1));
      bytes += c < 0x800 || pair ? 1 : 2;
    }
    return bytes;
  }

  /**
   * A document's place in the shuffled order of its split, as a signed number.
   *
   * @param copy from 0; each copy of a document has a place of its own
   */
  static long place(String source, String id, int copy, long seed) {
    String name = source + "\0" + id + (copy == 0 ? "" : "\0" + copy);
    return LongHashFunction.xx3(seed).hashBytes(name.getBytes(StandardCharsets.UTF_8))
        ^ Long.MIN_VALUE;
  }
}
