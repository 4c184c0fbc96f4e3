package caravan.pipeline.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardReaderTest {
  private final Configuration conf = new Configuration();

  @TempDir java.nio.file.Path folder;

  private Path directory() {
    return new Path(folder.toString());
  }

  private ShardWriter writer(TokenType dtype) throws IOException {
    return new ShardWriter(new Storage(conf), directory(), "train", 3, dtype, "attempt-0");
  }

  private static byte[] bytes(TokenType dtype, int... ids) {
    byte[] bytes = new byte[ids.length * dtype.bytes()];
    for (int i = 0; i < ids.length; i++) dtype.put(bytes, i * dtype.bytes(), ids[i]);
    return bytes;
  }

  private void writeAndRead(TokenType dtype, int[] first, int[] second) throws IOException {
    ShardWriter.Written written;
    try (ShardWriter writer = writer(dtype)) {
      writer.append("a", "web", bytes(dtype, first));
      writer.append("b", "web", bytes(dtype, second));
      written = writer.commit();
    }
    assertThat(written.files())
        .extracting(file -> file.path())
        .containsExactly(
            "train/shard-00003.bin", "train/shard-00003.bounds", "provenance/train-00003.parquet");
    try (ShardReader reader = new ShardReader(conf, directory(), written.shard(), dtype)) {
      assertThat(reader.tokens()).isEqualTo(first.length + second.length);
      assertThat(reader.documents()).isEqualTo(2);
      assertThat(reader.document(0)).isEqualTo(first);
      assertThat(reader.document(1)).isEqualTo(second);
      assertThatThrownBy(() -> reader.read(reader.tokens() - 1, new int[2]))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessage("train/shard-00003: tokens 4 to 6 wanted, it has 5");
    }
  }

  @Test
  void sixteenBitIdsAreUnsigned() throws IOException {
    writeAndRead(TokenType.UINT16, new int[] {1, 40_000, 65_535}, new int[] {32_768, 2});
  }

  @Test
  void largerVocabulariesTakeThirtyTwoBits() throws IOException {
    assertThat(TokenType.forVocabulary(65_536)).isEqualTo(TokenType.UINT16);
    assertThat(TokenType.forVocabulary(65_537)).isEqualTo(TokenType.UINT32);
    writeAndRead(TokenType.UINT32, new int[] {1, 65_536, 999_999}, new int[] {70_000, 2});
  }

  @Test
  void anAbandonedShardLeavesNoFile() throws IOException {
    try (ShardWriter writer = writer(TokenType.UINT16)) {
      writer.append("a", "web", bytes(TokenType.UINT16, 1, 2));
    }
    try (Stream<java.nio.file.Path> files = Files.walk(folder)) {
      assertThat(files.filter(Files::isRegularFile)).isEmpty();
    }
  }

  @Test
  void aSecondAttemptTakesTheFirstOnesPlace() throws IOException {
    try (ShardWriter first = writer(TokenType.UINT16);
        ShardWriter second =
            new ShardWriter(
                new Storage(conf), directory(), "train", 3, TokenType.UINT16, "attempt-1")) {
      first.append("a", "web", bytes(TokenType.UINT16, 1, 2));
      second.append("a", "web", bytes(TokenType.UINT16, 1, 2));
      assertThat(first.commit()).isEqualTo(second.commit());
    }
    try (Stream<java.nio.file.Path> files = Files.walk(folder)) {
      assertThat(files.filter(Files::isRegularFile)).hasSize(3);
    }
  }
}
