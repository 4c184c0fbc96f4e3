package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Utf8Test {
  private static boolean javaAccepts(byte[] bytes) {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }

  @Test
  void the_check_agrees_with_javas_strict_decoder_on_every_short_sequence() {
    for (int first = 0; first < 256; first++) {
      for (int second = 0; second < 256; second++) {
        for (int[] rest :
            new int[][] {{}, {0x80}, {0xBF}, {0x41}, {0x80, 0x80}, {0x80, 0x41}, {0xC0, 0x80}}) {
          byte[] bytes = new byte[2 + rest.length];
          bytes[0] = (byte) first;
          bytes[1] = (byte) second;
          for (int i = 0; i < rest.length; i++) {
            bytes[i + 2] = (byte) rest[i];
          }
          assertThat(Utf8.firstInvalid(bytes, 0, bytes.length) < 0)
              .as(java.util.HexFormat.of().formatHex(bytes))
              .isEqualTo(javaAccepts(bytes));
        }
      }
    }
  }

  @Test
  void the_place_of_the_first_bad_byte_is_found_in_mixed_text() {
    Random random = new Random(3);
    for (int i = 0; i < 2_000; i++) {
      String head =
          random
              .ints(random.nextInt(40), 0, 4)
              .mapToObj(k -> new String[] {"a", "é", "中", "𠮷"}[k])
              .collect(java.util.stream.Collectors.joining());
      byte[] good = head.getBytes(StandardCharsets.UTF_8);
      byte[] bytes = java.util.Arrays.copyOf(good, good.length + 3);
      bytes[good.length] = (byte) (random.nextBoolean() ? 0xFF : 0xED);
      bytes[good.length + 1] = (byte) 0xA0;
      assertThat(Utf8.firstInvalid(bytes, 0, bytes.length)).isEqualTo(good.length);
      assertThat(Utf8.firstInvalid(bytes, 0, good.length)).isEqualTo(-1);
    }
  }
}
