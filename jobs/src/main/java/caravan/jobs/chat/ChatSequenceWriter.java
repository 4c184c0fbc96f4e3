package caravan.jobs.chat;

import caravan.model.engine.TokenBatch;
import caravan.model.sft.MaskedExample;
import caravan.model.sft.MaskedSequences;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.HashedFile;
import caravan.pipeline.shard.ShardWriter;
import caravan.pipeline.shard.TokenManifest.Shard;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;

/**
 * Writes one split's conversations of one input file as shards of sequences: a token shard with a
 * sequence for a document, and beside it {@code shard-00000.targets}, int32 little-endian, what
 * each position should predict or -1, marked where a further conversation begins ({@link
 * TokenBatch#marked}). Conversations are laid into sequences by the thousand, so memory does not
 * grow with the file.
 */
final class ChatSequenceWriter implements Closeable {
  /** Conversations that are laid into sequences together. */
  private static final int CHUNK = 4096;

  /** A shard ends here, so that its targets can be mapped into memory in one piece. */
  private static final long SHARD_TOKENS = 1L << 27;

  /** Shards that one input file may fill: shard numbers are file number × this + count. */
  private static final int SHARDS_PER_FILE = 1000;

  /**
   * A finished shard and the files it is made of.
   *
   * @param trainedTokens positions with a target
   */
  record Written(Shard shard, long trainedTokens, List<Manifest.OutputFile> files) {}

  private final Storage storage;
  private final Path directory;
  private final String split;
  private final int fileNumber;
  private final String source;
  private final SequenceLayout layout;
  private final String attempt;
  private final List<MaskedExample> waiting = new ArrayList<>();
  private final List<String> waitingIds = new ArrayList<>();
  private final List<Written> written = new ArrayList<>();
  private ShardWriter tokens;
  private HashedFile targets;
  private Shard open;
  private long openTokens;
  private long trainedTokens;

  /**
   * @param fileNumber the input file's place among all
   * @param source the input file's name, for provenance
   * @param attempt names the writing task attempt
   */
  ChatSequenceWriter(
      Storage storage,
      Path directory,
      String split,
      int fileNumber,
      String source,
      SequenceLayout layout,
      String attempt) {
    this.storage = storage;
    this.directory = directory;
    this.split = split;
    this.fileNumber = fileNumber;
    this.source = source;
    this.layout = layout;
    this.attempt = attempt;
  }

  /**
   * @param example one with a trained token within the sequence length
   */
  void add(String id, MaskedExample example) throws IOException {
    waiting.add(example);
    waitingIds.add(id);
    if (waiting.size() == CHUNK) {
      writeWaiting();
    }
  }

  /** Finishes the files; none when there was no conversation. */
  List<Written> commit() throws IOException {
    writeWaiting();
    commitShard();
    return List.copyOf(written);
  }

  private void writeWaiting() throws IOException {
    if (waiting.isEmpty()) {
      return;
    }
    MaskedSequences sequences =
        MaskedSequences.of(
            waiting, layout.sequenceLength(), layout.eosId(), layout.rows(), layout.tooLong());
    for (int row = 0; row < sequences.size(); row++) {
      String ids =
          sequences.examples(row).stream().map(waitingIds::get).collect(Collectors.joining(" "));
      write(ids, sequences.ids(row), sequences.markedTargets(row));
    }
    waiting.clear();
    waitingIds.clear();
  }

  private void write(String id, int[] ids, int[] rowTargets) throws IOException {
    if (open == null) {
      openShard();
    }
    byte[] idBytes = new byte[ids.length * layout.dtype().bytes()];
    ByteBuffer targetBytes =
        ByteBuffer.allocate(ids.length * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < ids.length; i++) {
      layout.dtype().put(idBytes, i * layout.dtype().bytes(), ids[i]);
      targetBytes.putInt(rowTargets[i]);
      trainedTokens += TokenBatch.unmarked(rowTargets[i]) == TokenBatch.IGNORED ? 0 : 1;
    }
    tokens.append(id, source, idBytes);
    targets.write(targetBytes.array());
    openTokens += ids.length;
    if (openTokens >= SHARD_TOKENS) {
      commitShard();
    }
  }

  private void openShard() throws IOException {
    if (written.size() == SHARDS_PER_FILE) {
      throw new IllegalArgumentException(
          source + ": fills more than " + SHARDS_PER_FILE + " shards; split the file");
    }
    int number = fileNumber * SHARDS_PER_FILE + written.size();
    open = new Shard(split, number, 0, 0, "");
    openTokens = 0;
    trainedTokens = 0;
    tokens = new ShardWriter(storage, directory, split, number, layout.dtype(), attempt);
    targets = new HashedFile(storage, new Path(directory, targetsPath(open)), attempt);
  }

  private void commitShard() throws IOException {
    if (open == null) {
      return;
    }
    ShardWriter.Written done = tokens.commit();
    List<Manifest.OutputFile> files = new ArrayList<>(done.files());
    files.add(targets.commit(targetsPath(open)));
    written.add(new Written(done.shard(), trainedTokens, files));
    open = null;
  }

  /** {@code train/shard-00000.targets}. */
  static String targetsPath(Shard shard) {
    return shard.name() + ".targets";
  }

  /** Drops what was not committed. */
  @Override
  public void close() throws IOException {
    if (open != null) {
      tokens.close();
      targets.close();
    }
  }
}
