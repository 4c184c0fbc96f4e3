package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.Charset;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class HtmlBytesTest {
  private static final String CHINESE = "<p>清晨的港口十分安静，只有几只海鸥在水面上盘旋。</p>";
  private static final String TRADITIONAL = "<p>清晨的港口十分安靜，只有幾隻海鷗在水面上盤旋。</p>";

  private static byte[] in(String charset, String text) {
    return text.getBytes(Charset.forName(charset));
  }

  private static String text(byte[] bytes, String transport) {
    return HtmlBytes.decode(bytes, transport).text();
  }

  @Test
  void byte_order_mark_then_transport_then_declaration_decide() {
    String gbk = "<meta charset=gb2312>" + CHINESE;
    assertThat(text(in("GBK", gbk), "")).isEqualTo(gbk);
    assertThat(text(in("UTF-8", gbk), "utf-8")).isEqualTo(gbk);
    assertThat(text(in("UTF-8", "\uFEFF" + gbk), "gbk")).isEqualTo(gbk);
    assertThat(text(in("UTF-16LE", "\uFEFF" + CHINESE), "")).isEqualTo(CHINESE);
    String http =
        "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=Big5\" />" + TRADITIONAL;
    assertThat(text(in("Big5", http), "")).isEqualTo(http);
    assertThat(text(in("GBK", gbk), "ISO-8859-1")).as("the server's default").isEqualTo(gbk);
    String xml = "<?xml version=\"1.0\" encoding=\"gbk\"?>" + CHINESE;
    assertThat(text(in("GB18030", xml), "")).isEqualTo(xml);
  }

  @Test
  void pages_that_name_no_character_set_are_utf8_or_what_their_bytes_are_common_in() {
    assertThat(text(in("UTF-8", CHINESE + "𠮷"), "")).isEqualTo(CHINESE + "𠮷");
    assertThat(text(in("GBK", CHINESE), "")).isEqualTo(CHINESE);
    assertThat(text(in("Big5", TRADITIONAL), "")).isEqualTo(TRADITIONAL);
    assertThat(text(in("windows-1252", "caf\u00e9 na\u00efve"), "")).isNull();
    assertThat(text(in("GBK", CHINESE), "no-such-charset")).isEqualTo(CHINESE);
  }

  @Test
  void a_character_cut_in_two_is_let_pass_and_many_wrong_bytes_are_not() {
    byte[] cut = Arrays.copyOf(in("UTF-8", "字".repeat(2_000)), 5_999);
    assertThat(text(cut, "")).isEqualTo("字".repeat(1_999) + "\uFFFD");
    String latin = "caf\u00e9 na\u00efve d\u00e9j\u00e0";
    assertThat(text(in("windows-1252", latin), "utf-8")).isNull();
    assertThat(HtmlBytes.decode(in("windows-1252", latin), "gbk").charset().name())
        .isEqualTo("GB18030");
  }

  @Test
  void a_page_that_names_a_wrong_character_set_is_read_in_the_one_its_bytes_show() {
    String converted = "<meta charset=gb2312>" + CHINESE + "𠮷";
    assertThat(text(in("UTF-8", converted), "")).isEqualTo(converted);
    String claimed = "<meta charset=utf-8>" + CHINESE;
    assertThat(text(in("GBK", claimed), "")).isEqualTo(claimed);
  }
}
