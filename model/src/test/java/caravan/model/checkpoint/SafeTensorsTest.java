package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafeTensorsTest {
  private final Configuration hadoop = new Configuration();
  @TempDir Path folder;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = folder.resolve("model.safetensors");
  }

  @Test
  void slicesOfOneBufferComeBackBitForBit() throws IOException {
    float[] values = {1, -0f, Float.MIN_VALUE, Float.MAX_VALUE, Float.NaN, 3.14159f, 7, 8};
    try (FloatPointer data = new FloatPointer(values);
        OutputStream out = Files.newOutputStream(file)) {
      SafeTensors.write(
          out,
          Map.of("format", "pt"),
          List.of(
              new SafeTensors.Source("matrix", List.of(2L, 3L), data, 1),
              new SafeTensors.Source("scalar", List.of(), data, 7),
              new SafeTensors.Source("empty", List.of(0L, 5L), data, 0)));
    }
    try (SafeTensors tensors = SafeTensors.open(file.toString(), hadoop);
        FloatPointer read = new FloatPointer(9L)) {
      assertThat(tensors.metadata()).containsExactly(Map.entry("format", "pt"));
      assertThat(tensors.entries()).containsOnlyKeys("matrix", "scalar", "empty");
      SafeTensors.Entry matrix = tensors.entries().get("matrix");
      assertThat(matrix.shape()).containsExactly(2L, 3L);
      assertThat(matrix.begin() % 64).isZero();
      tensors.read(matrix, read, 2);
      tensors.read(tensors.entries().get("scalar"), read, 8);
      tensors.read(tensors.entries().get("empty"), read, 8);
      for (int i = 0; i < 6; i++) {
        assertThat(Float.floatToRawIntBits(read.get(2 + i)))
            .isEqualTo(Float.floatToRawIntBits(values[1 + i]));
      }
      assertThat(read.get(8)).isEqualTo(8f);
    }
  }

  @Test
  void aTensorLargerThanOneChunkComesBackWhole() throws IOException {
    int n = (1 << 18) * 2 + 77;
    try (FloatPointer data = new FloatPointer((long) n);
        FloatPointer read = new FloatPointer((long) n)) {
      for (int i = 0; i < n; i++) {
        data.put(i, i * 0.5f);
      }
      try (OutputStream out = Files.newOutputStream(file)) {
        SafeTensors.write(
            out, Map.of(), List.of(new SafeTensors.Source("x", List.of((long) n), data, 0)));
      }
      try (SafeTensors tensors = SafeTensors.open(file.toString(), hadoop)) {
        tensors.read(tensors.entries().get("x"), read, 0);
      }
      assertThat(Floats.equal(data, 0, read, 0, n)).isTrue();
      assertThat(read.get(n - 1)).isEqualTo((n - 1) * 0.5f);
    }
  }

  @Test
  void bfloat16IsTheUpperHalfOfAFloat() throws IOException {
    short[] bits = {0x3f80, (short) 0xc049, 0x7f80, 0x0001};
    float[] read = readShorts("BF16", bits);
    assertThat(read[0]).isEqualTo(1f);
    assertThat(read[1]).isEqualTo(-3.140625f);
    assertThat(read[2]).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(Float.floatToRawIntBits(read[3])).isEqualTo(0x10000);
  }

  @Test
  void halfPrecisionReadsNormalSubnormalAndSpecialNumbers() throws IOException {
    short[] bits = {
      0x3c00,
      (short) 0xc000,
      0x7bff,
      0x0400,
      0x0001,
      (short) 0x83ff,
      0x7c00,
      (short) 0xfc00,
      0x7e00,
      (short) 0x8000,
      0x3555
    };
    float[] read = readShorts("F16", bits);
    assertThat(Arrays.copyOf(read, 8))
        .containsExactly(
            1f,
            -2f,
            65504f,
            0x1p-14f,
            0x1p-24f,
            -1023 * 0x1p-24f,
            Float.POSITIVE_INFINITY,
            Float.NEGATIVE_INFINITY);
    assertThat(read[8]).isNaN();
    assertThat(Float.floatToRawIntBits(read[9])).isEqualTo(0x80000000);
    assertThat(read[10]).isEqualTo(0.333251953125f);
  }

  @Test
  void aTruncatedFileNamesTheTensorThatIsCut() throws IOException {
    writeRaw("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", new byte[15]);
    refused("tensor a ends at byte 79 of a file of 78: truncated; copy or download it again");
    Files.write(file, new byte[3]);
    refused("3 bytes, too short for a safetensors file");
    Files.write(file, new byte[] {0, 1, 0, 0, 0, 0, 0, 0, '{', '}'});
    refused("header of 256 bytes in a file of 10: truncated, or not a safetensors file");
  }

  @Test
  void aMalformedHeaderIsRefused() throws IOException {
    writeRaw("{\"a\": oops}", new byte[0]);
    refused("the safetensors header is not JSON: ");
    writeRaw("{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", new byte[8]);
    refused("tensor a has type \"I64\", wanted one of F32, F16, BF16");
    writeRaw("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", new byte[8]);
    refused("tensor a of shape [3] and type F32 wants 12 bytes, its data_offsets are [0,8]");
    writeRaw(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[9000000000000,9000000000000],"
            + "\"data_offsets\":[0,8]}}",
        new byte[8]);
    refused("tensor a has the impossible shape [9000000000000, 9000000000000]");
  }

  @Test
  void aMissingFileIsNamed() {
    refused("no such file");
  }

  private void refused(String message) {
    assertThatThrownBy(() -> SafeTensors.open(file.toString(), hadoop))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining(message);
  }

  private float[] readShorts(String type, short[] bits) throws IOException {
    ByteBuffer data = ByteBuffer.allocate(2 * bits.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asShortBuffer().put(bits);
    writeRaw(
        String.format(
            "{\"a\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%d]}}",
            type, bits.length, 2 * bits.length),
        data.array());
    float[] values = new float[bits.length];
    try (SafeTensors tensors = SafeTensors.open(file.toString(), hadoop);
        FloatPointer read = new FloatPointer((long) bits.length)) {
      tensors.read(tensors.entries().get("a"), read, 0);
      read.get(values);
    }
    return values;
  }

  private void writeRaw(String header, byte[] data) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json).put(data);
    Files.write(file, bytes.array());
  }
}
