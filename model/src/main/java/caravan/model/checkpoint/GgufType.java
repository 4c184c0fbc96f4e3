package caravan.model.checkpoint;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * Element types of GGUF tensors as ggml stores them: blocks of elements that share scales, little
 * endian. All can be read as float; {@link #F32}, {@link #F16} and {@link #Q8_0} can be written.
 *
 * <p>Of a block of {@link #Q4_K} and the like, 256 elements, sub-blocks of 16 or 32 have scales
 * (and minima) that are quantized themselves.
 */
enum GgufType {
  F32(0, 1, 4),
  F16(1, 1, 2),
  Q4_0(2, 32, 18),
  Q4_1(3, 32, 20),
  Q5_0(6, 32, 22),
  Q5_1(7, 32, 24),
  Q8_0(8, 32, 34),
  Q2_K(10, 256, 84),
  Q3_K(11, 256, 110),
  Q4_K(12, 256, 144),
  Q5_K(13, 256, 176),
  Q6_K(14, 256, 210),
  BF16(30, 1, 2);

  /** Added to any float, zeros of both signs included, it leaves it as it is. */
  private static final float NONE = -0f;

  final int id;
  final int blockElements;
  final int blockBytes;

  GgufType(int id, int blockElements, int blockBytes) {
    this.id = id;
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
  }

  /**
   * @throws IllegalArgumentException when no type here has that number
   */
  static GgufType of(int id, String where) {
    return Arrays.stream(values())
        .filter(type -> type.id == id)
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    where
                        + " has ggml type "
                        + id
                        + ", wanted one of "
                        + Arrays.stream(values())
                            .map(type -> type + " (" + type.id + ")")
                            .collect(Collectors.joining(", "))));
  }

  long bytes(long elements) {
    return elements / blockElements * blockBytes;
  }

  /**
   * Reads the block that starts at byte {@code from}.
   *
   * @param to receives {@link #blockElements} floats from {@code to[at]} on
   */
  void read(ByteBuffer in, int from, float[] to, int at) {
    switch (this) {
      case F32 -> to[at] = in.getFloat(from);
      case F16 -> to[at] = half(in, from);
      case BF16 -> to[at] = Float.intBitsToFloat(in.getShort(from) << 16);
      case Q4_0 -> nibbles(in, from + 2, half(in, from), -8, NONE, 0, to, at);
      case Q4_1 -> nibbles(in, from + 4, half(in, from), 0, half(in, from + 2), 0, to, at);
      case Q5_0 -> nibbles(in, from + 6, half(in, from), -16, NONE, from + 2, to, at);
      case Q5_1 -> nibbles(in, from + 8, half(in, from), 0, half(in, from + 2), from + 4, to, at);
      case Q8_0 -> {
        float scale = half(in, from);
        for (int i = 0; i < blockElements; i++) {
          to[at + i] = scale * in.get(from + 2 + i);
        }
      }
      case Q2_K -> q2k(in, from, to, at);
      case Q3_K -> q3k(in, from, to, at);
      case Q4_K -> q4k(in, from, from + 16, 0, to, at);
      case Q5_K -> q4k(in, from, from + 48, from + 16, to, at);
      case Q6_K -> q6k(in, from, to, at);
    }
  }

  private static float half(ByteBuffer in, int at) {
    return HalfFloat.toFloat(in.getShort(at));
  }

  /** 32 elements of four bits, or of five with the fifth ones in an int at {@code highBits}. */
  private static void nibbles(
      ByteBuffer in,
      int from,
      float scale,
      int shift,
      float minimum,
      int highBits,
      float[] to,
      int at) {
    int high = highBits > 0 ? in.getInt(highBits) : 0;
    for (int i = 0; i < 16; i++) {
      int pair = in.get(from + i);
      int low = pair & 0xf | (high >>> i & 1) << 4;
      int up = pair >> 4 & 0xf | (high >>> i + 16 & 1) << 4;
      to[at + i] = scale * (low + shift) + minimum;
      to[at + 16 + i] = scale * (up + shift) + minimum;
    }
  }

  /** Sixteen scales and minima of four bits, 64 bytes of two-bit elements, two halves. */
  private static void q2k(ByteBuffer in, int from, float[] to, int at) {
    float scale = half(in, from + 80);
    float minimum = half(in, from + 82);
    for (int i = 0; i < 256; i++) {
      int sub = in.get(from + i / 16);
      int element = in.get(from + 16 + i / 128 * 32 + i % 32) >> i % 128 / 32 * 2 & 3;
      to[at + i] = scale * (sub & 0xf) * element - minimum * (sub >> 4 & 0xf);
    }
  }

  /** 32 bytes of third bits, 64 of two-bit elements, sixteen six-bit scales in twelve bytes. */
  private static void q3k(ByteBuffer in, int from, float[] to, int at) {
    float scale = half(in, from + 108);
    for (int i = 0; i < 256; i++) {
      int sub = i / 16;
      int low = in.get(from + 96 + sub % 8) >> sub / 8 * 4 & 0xf;
      int high = in.get(from + 104 + sub % 4) >> sub / 4 * 2 & 3;
      int element = in.get(from + 32 + i / 128 * 32 + i % 32) >> i % 128 / 32 * 2 & 3;
      int third = in.get(from + i % 32) >> i / 32 & 1;
      to[at + i] = scale * ((low | high << 4) - 32) * (element - (third == 1 ? 0 : 4));
    }
  }

  /** Eight six-bit scales and minima in twelve bytes; four-bit elements, or five-bit ones. */
  private static void q4k(
      ByteBuffer in, int from, int elements, int fifthBits, float[] to, int at) {
    float scale = half(in, from);
    float minimum = half(in, from + 2);
    for (int sub = 0; sub < 8; sub++) {
      float d = scale * packedScale(in, from + 4, sub);
      float m = minimum * packedMinimum(in, from + 4, sub);
      for (int i = 0; i < 32; i++) {
        int element = in.get(elements + sub / 2 * 32 + i) >> sub % 2 * 4 & 0xf;
        int fifth = fifthBits > 0 ? in.get(fifthBits + i) >> sub & 1 : 0;
        to[at + sub * 32 + i] = d * (element | fifth << 4) - m;
      }
    }
  }

  private static int packedScale(ByteBuffer in, int from, int sub) {
    return sub < 4
        ? in.get(from + sub) & 63
        : in.get(from + sub + 4) & 0xf | (in.get(from + sub - 4) >> 6 & 3) << 4;
  }

  private static int packedMinimum(ByteBuffer in, int from, int sub) {
    return sub < 4
        ? in.get(from + sub + 4) & 63
        : in.get(from + sub + 4) >> 4 & 0xf | (in.get(from + sub) >> 6 & 3) << 4;
  }

  /** 128 bytes of lower four bits, 64 of upper two, sixteen signed scales of eight bits. */
  private static void q6k(ByteBuffer in, int from, float[] to, int at) {
    float scale = half(in, from + 208);
    for (int i = 0; i < 256; i++) {
      int part = i / 128;
      int quarter = i % 128 / 32;
      int low = in.get(from + part * 64 + quarter % 2 * 32 + i % 32) >> quarter / 2 * 4 & 0xf;
      int high = in.get(from + 128 + part * 32 + i % 32) >> quarter * 2 & 3;
      to[at + i] = scale * in.get(from + 192 + i / 16) * ((low | high << 4) - 32);
    }
  }

  /**
   * Writes a block at the buffer's position.
   *
   * @param from holds {@link #blockElements} floats from {@code from[at]} on
   */
  void write(float[] from, int at, ByteBuffer out) {
    switch (this) {
      case F32 -> out.putFloat(from[at]);
      case F16 -> out.putShort(HalfFloat.fromFloat(from[at]));
      case Q8_0 -> {
        float largest = 0;
        for (int i = 0; i < blockElements; i++) {
          largest = Math.max(largest, Math.abs(from[at + i]));
        }
        float scale = largest / 127;
        float inverse = scale == 0 ? 0 : 1 / scale;
        out.putShort(HalfFloat.fromFloat(scale));
        for (int i = 0; i < blockElements; i++) {
          float scaled = from[at + i] * inverse;
          out.put((byte) (Math.signum(scaled) * Math.floor(Math.abs(scaled) + 0.5f)));
        }
      }
      default -> throw new IllegalArgumentException("GGUF: " + this + " can only be read");
    }
  }
}
