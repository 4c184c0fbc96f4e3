package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Random;
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
        "ask 2001:4860:4860::8888 or 2400:3200:0:0:0:0:0:1. | ask <IP_ADDRESS> or <IP_ADDRESS>.",
        "from 114.114.114.114:53 at http://8.8.4.4/x | from <IP_ADDRESS>:53 at http://<IP_ADDRESS>/x",
        "手机：8613812345678、138 1234 5678、(86)13812345678 | 手机：<PHONE>、<PHONE>、(<PHONE>",
        "总机010-87654321转8016，传真(0755)8765432 | 总机<PHONE>，传真<PHONE>",
        "电话：01087654321，+86-21-5123-6699 | 电话：<PHONE>，<PHONE>",
        "客服400-711-6699或 800 820 6666，热线4008123123 | 客服<PHONE>或 <PHONE>，热线<PHONE>",
        "卡号6222021234567890128 | 卡号<BANK_CARD>",
        "pay with 4111 1111 1111 1111 or 3782-822463-10005 | pay with <BANK_CARD> or <BANK_CARD>",
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
        "版本 128.0.6613.84、第6.7.3.3节，version 101.102.103.104，6.7.3.4. 标题，GCC 2.7.2.3",
        "fe80::1 ::1 2001:db8::1 00:1a:2b:3c:4d:5e 12:30:45 2001:a 2000:: 7.7.1.2 2001:1:2:3:4:5:6:7:8",
        "4111 1111 1111 1112 与 6222021234567890123 与 1234567890123456 与 4111 1111 1111 1111 1111 11",
        "2010-12345678, 01087654321, 4008123123, 订单0101-2345678, 日期 2020-01-02, 10086",
        "icon@2x.png getty@tty1.service 14012345678 1381234567890 138-1234-5678-9",
        "身份证号110105194913310021，月份不对",
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
  void every_character_is_accounted_for() {
    String[] pieces =
        "a@b.cn 13812345678 010-87654321 8.8.8.8 2001:4860::1 4111111111111111 110105194912310021 + ( - . 86 中 𠮷 x 1 0 @ :"
            .split(" ");
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      StringBuilder text = new StringBuilder();
      for (int k = random.nextInt(8); k > 0; k--) {
        text.append(pieces[random.nextInt(pieces.length)]).append(random.nextBoolean() ? " " : "");
      }
      var masked = masker.mask(text.toString());
      long removed = masked.removed().values().stream().mapToLong(Long::longValue).sum();
      assertThat(masked.text().codePoints().count() + removed)
          .as("%s", text)
          .isEqualTo(text.codePoints().count());
    }
  }

  @Test
  void hostile_texts_take_linear_time() {
    for (String piece :
        List.of(
            "a", "1", "1.", "@", "a@", "1 ", "a.", "2001:", "4111 ", "010-", "86-", "a@b.", "1-")) {
      assertThat(masker.mask(piece.repeat(500_000)).text()).isNotNull();
    }
  }
}
