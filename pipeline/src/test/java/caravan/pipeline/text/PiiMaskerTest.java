package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PiiMaskerTest {
  private final PiiMasker masker = new PiiMasker(List.of(PiiMasker.Kind.values()));

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "请联系zhang.san+a@example.com.cn，谢谢 | 请联系<EMAIL>，谢谢",
        "a@b.co, c_d@e-f.org. | <EMAIL>, <EMAIL>.",
        "电话13812345678或+86 139-1234-5678。 | 电话<PHONE>或<PHONE>。",
        "身份证号11010519491231002X，有效 | 身份证号<IDENTITY_CARD>，有效",
        "server 8.8.8.8 answers | server <IP_ADDRESS> answers",
        "邮箱a@b.cn电话13812345678 | 邮箱<EMAIL>电话<PHONE>",
        "𠮷😀a@b.cn😀 | 𠮷😀<EMAIL>😀",
      })
  void masks_what_identifies_people(String text, String masked) {
    assertThat(masker.mask(text).text()).isEqualTo(masked);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "see @Override and user@localhost, a@, @b.com",
        "身份证号110105194912310021的校验位不对",
        "订单号213812345678901，编号12345678901",
        "192.168.1.1 10.0.0.1 127.0.0.1 999.1.1.1 1.2.3 1.2.3.4.5 v1.2.3.4",
        "pi is 3.14159265358979 and 1381234567 is short",
        "''"
      })
  void leaves_what_only_looks_like_it(String text) {
    assertThat(masker.mask(text)).isEqualTo(new PiiMasker.Masked(text, Map.of()));
  }

  @Test
  void counts_what_it_takes_away() {
    var masked = masker.mask("zhang.san@example.com 8.8.8.8");
    assertThat(masked.removed()).isEqualTo(Map.of("pii_email", 14L, "pii_ip_address", -5L));
  }

  @Test
  void masks_only_the_kinds_asked_for() {
    String text = "a@b.cn 13812345678";
    assertThat(new PiiMasker(List.of(PiiMasker.Kind.PHONE)).mask(text).text())
        .isEqualTo("a@b.cn <PHONE>");
    assertThat(new PiiMasker(List.of()).mask(text).text()).isEqualTo(text);
  }

  @Test
  void hostile_texts_take_linear_time() {
    for (String piece : List.of("a", "1", "1.", "@", "a@", "1 ", "a.")) {
      assertThat(masker.mask(piece.repeat(500_000)).text()).isNotNull();
    }
  }
}
