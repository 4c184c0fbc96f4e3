package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.junit.jupiter.api.Test;

class PageScannerTest {
  private static final int MAX_BYTES = 1 << 20;

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** An export whose pages hold text of one to four bytes a character. */
  private static String export(int pages, int seed, int bytes) {
    Random random = new Random(seed);
    StringBuilder xml = new StringBuilder("<mediawiki>\n  <siteinfo></siteinfo>\n");
    for (int p = 0; p < pages; p++) {
      xml.append("  <page>\n<title>").append(p).append("题𠮷</title>");
      for (int i = random.nextInt(bytes); i > 0; i--) {
        xml.appendCodePoint(random.nextBoolean() ? 0x4E00 + random.nextInt(20_000) : 'a' + i % 26);
      }
      xml.append("</page>\n");
    }
    return xml.append("</mediawiki>").toString();
  }

  /** As dumps are packed: several streams, each of several blocks. */
  private static byte[] bzip2(byte[] plain, int streamBytes) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (int at = 0; at < plain.length; at += streamBytes) {
      try (var stream = new BZip2CompressorOutputStream(out, 1)) {
        stream.write(plain, at, Math.min(streamBytes, plain.length - at));
      }
    }
    return out.toByteArray();
  }

  private static List<String> pages(PageScanner.Chunks chunks, long end) throws IOException {
    List<String> pages = new ArrayList<>();
    PageScanner scanner = new PageScanner(chunks, end, MAX_BYTES);
    for (var found = scanner.next(); found != null; found = scanner.next()) {
      String page = new String(found.page(), StandardCharsets.UTF_8);
      pages.add(
          found.damage().isEmpty()
              ? found.position() + "/" + found.number() + page
              : "damage: " + found.damage());
    }
    return pages;
  }

  private static List<String> plain(byte[] bytes, int start, int end) throws IOException {
    var in = new ByteArrayInputStream(bytes, start, bytes.length - start);
    return pages(PageScanner.Chunks.of(in, start), end);
  }

  private static List<String> compressed(byte[] bytes, int start, int end) throws IOException {
    var in = new ByteArrayInputStream(bytes, start, bytes.length - start);
    return pages(PageScanner.Chunks.of(new Bzip2Blocks(in, start)), end);
  }

  @Test
  void two_splits_at_any_byte_read_every_page_of_a_plain_export_once() throws IOException {
    byte[] bytes = utf8(export(12, 1, 30));
    List<String> all = plain(bytes, 0, bytes.length);
    assertThat(all).hasSize(12).allMatch(page -> page.contains("题𠮷</title>"));
    for (int cut = 0; cut <= bytes.length; cut++) {
      List<String> both = plain(bytes, 0, cut);
      both.addAll(plain(bytes, cut, bytes.length));
      assertThat(both).as("cut at %d", cut).isEqualTo(all);
    }
  }

  @Test
  void two_splits_at_any_byte_read_every_page_of_a_compressed_export_once() throws IOException {
    byte[] plain = utf8(export(40, 2, 60));
    byte[] bytes = bzip2(plain, 300);
    List<String> all = compressed(bytes, 0, bytes.length);
    assertThat(all).hasSize(40);
    assertThat(withoutPositions(all)).isEqualTo(withoutPositions(plain(plain, 0, plain.length)));
    for (int cut = 0; cut <= bytes.length; cut++) {
      List<String> both = compressed(bytes, 0, cut);
      both.addAll(compressed(bytes, cut, bytes.length));
      assertThat(both).as("cut at %d", cut).isEqualTo(all);
    }
  }

  @Test
  void splits_of_any_size_read_streams_of_many_blocks() throws IOException {
    byte[] plain = utf8(export(300, 3, 3_000));
    byte[] bytes = bzip2(plain, 350_000);
    List<String> all = compressed(bytes, 0, bytes.length);
    assertThat(withoutPositions(all)).isEqualTo(withoutPositions(plain(plain, 0, plain.length)));
    assertThat(all).doesNotHaveDuplicates();
    for (int size : new int[] {1_000, 77_777, 200_000}) {
      List<String> parts = new ArrayList<>();
      for (int start = 0; start < bytes.length; start += size) {
        parts.addAll(compressed(bytes, start, Math.min(bytes.length, start + size)));
      }
      assertThat(parts).as("splits of %d", size).isEqualTo(all);
    }
  }

  private static List<String> withoutPositions(List<String> pages) {
    return pages.stream().map(page -> page.substring(page.indexOf('<'))).toList();
  }

  @Test
  void a_damaged_block_costs_its_pages_and_no_others() throws IOException {
    byte[] plain = utf8(export(40, 4, 60));
    byte[] bytes = bzip2(plain, 300);
    int intact = compressed(bytes, 0, bytes.length).size();
    bytes[bytes.length / 2] ^= 0x10;
    List<String> all = compressed(bytes, 0, bytes.length);
    List<String> damages = all.stream().filter(page -> page.startsWith("damage")).toList();
    assertThat(damages)
        .anySatisfy(damage -> assertThat(damage).startsWith("damage: damaged: "))
        .hasSizeBetween(1, 2);
    assertThat(all.size() - damages.size()).isBetween(intact - 6, intact - 1);
    for (int cut = 0; cut <= bytes.length; cut += 7) {
      List<String> both = compressed(bytes, 0, cut);
      both.addAll(compressed(bytes, cut, bytes.length));
      assertThat(both).as("cut at %d", cut).isEqualTo(all);
    }
  }

  @Test
  void a_file_that_is_cut_off_keeps_what_came_before() throws IOException {
    byte[] bytes = utf8(export(3, 5, 30));
    int inLast = new String(bytes, StandardCharsets.ISO_8859_1).lastIndexOf("</page>") - 1;
    assertThat(plain(Arrays.copyOf(bytes, inLast), 0, inLast))
        .hasSize(3)
        .last()
        .isEqualTo("damage: the file ends before </page>");
    byte[] packed = bzip2(bytes, 100_000);
    assertThat(compressed(Arrays.copyOf(packed, packed.length - 20), 0, packed.length))
        .containsExactly("damage: the file ends inside of the block");
  }

  @Test
  void a_page_longer_than_the_maximum_is_given_up_to_its_beginning() throws IOException {
    byte[] bytes = utf8("<page>" + "a".repeat(5_000) + "</page><page>b</page>");
    PageScanner scanner =
        new PageScanner(
            PageScanner.Chunks.of(new ByteArrayInputStream(bytes), 0), bytes.length, 4_990);
    PageScanner.Found found = scanner.next();
    assertThat(found.damage()).isEqualTo("5,007 bytes, shown 4,096; maximum 4,990");
    assertThat(found.page()).hasSize(4096);
    assertThat(new String(scanner.next().page(), StandardCharsets.UTF_8)).isEqualTo("b");
    assertThat(scanner.next()).isNull();
  }
}
