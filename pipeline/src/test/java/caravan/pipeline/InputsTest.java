package caravan.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InputsTest {
  private final Configuration conf = new Configuration();

  @TempDir Path dir;

  @BeforeEach
  void files() throws IOException {
    Files.createDirectories(dir.resolve("web/deep"));
    Files.createDirectories(dir.resolve("web/_temporary"));
    Files.createDirectories(dir.resolve("empty"));
    Files.writeString(dir.resolve("web/b.html"), "b");
    Files.writeString(dir.resolve("web/deep/a.html"), "aa");
    Files.writeString(dir.resolve("web/.hidden"), "x");
    Files.writeString(dir.resolve("web/_temporary/part"), "x");
    Files.writeString(dir.resolve("zh.jsonl.gz"), "zzz");
    Files.writeString(dir.resolve("void.txt"), "");
  }

  private Inputs resolve(String... names) {
    return Inputs.resolve(
        conf, String.join(",", List.of(names).stream().map(n -> dir + "/" + n).toList()));
  }

  private static List<String> relative(Inputs inputs) {
    return inputs.files().stream().map(Inputs.InputFile::relativePath).toList();
  }

  @Test
  void a_directory_stands_for_every_visible_file_below_it() {
    Inputs inputs = resolve("web");
    assertThat(relative(inputs)).containsExactly("b.html", "deep/a.html");
    assertThat(inputs.roots().get(0).name()).isEqualTo("web");
    assertThat(inputs.files().get(1).size()).isEqualTo(2);
  }

  @Test
  void a_file_a_glob_and_a_list_resolve_relative_to_their_fixed_part() {
    assertThat(relative(resolve("zh.jsonl.gz"))).containsExactly("zh.jsonl.gz");
    assertThat(resolve("zh.jsonl.gz").roots().get(0).name()).isEqualTo("zh");
    assertThat(relative(resolve("web/**/*.html"))).containsExactly("deep/a.html");
    assertThat(relative(resolve("web/{b,c}.html", "zh.jsonl.gz")))
        .containsExactly("b.html", "zh.jsonl.gz");
    assertThat(resolve("web/*").roots().get(0).name()).isEqualTo("web");
    assertThat(relative(resolve("web/*"))).containsExactly("b.html", "deep/a.html");
  }

  @Test
  void moving_the_root_changes_neither_relative_paths_nor_fingerprints() throws IOException {
    Inputs before = resolve("web");
    Files.move(dir.resolve("web"), dir.resolve("moved"));
    Inputs after = resolve("moved");
    assertThat(relative(after)).isEqualTo(relative(before));
    assertThat(after.files())
        .extracting(Inputs.InputFile::fingerprint)
        .isEqualTo(before.files().stream().map(Inputs.InputFile::fingerprint).toList());
  }

  @Test
  void a_changed_byte_changes_the_fingerprint() throws IOException {
    List<Manifest.Input> before = resolve("web").fingerprints();
    Files.writeString(dir.resolve("web/b.html"), "c");
    List<Manifest.Input> after = resolve("web").fingerprints();
    assertThat(after.get(0)).isNotEqualTo(before.get(0));
    assertThat(after.get(1)).isEqualTo(before.get(1));
  }

  @Test
  void missing_and_empty_input_is_named() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> resolve("nowhere.txt"))
        .withMessageContaining("nowhere.txt: matches no file, wanted at least one file");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> resolve("web/*.pdf"))
        .withMessageContaining("web/*.pdf: matches no file");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> resolve("empty"))
        .withMessageContaining("empty: is an empty directory");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> resolve("void.txt"))
        .withMessageContaining("all 1 files are empty");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Inputs.resolve(conf, " , "))
        .withMessageContaining("input: got nothing");
  }

  @Test
  void an_output_of_another_kind_is_refused() {
    Manifest.of(Manifest.TOKENS, List.of(), "h", Map.of(), List.of(), "c", Map.of())
        .write(conf, new org.apache.hadoop.fs.Path(dir + "/web"));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> resolve("web"))
        .withMessageContaining("web: holds tokens, wanted documents");
  }

  @Test
  void a_manifest_of_another_version_is_refused() throws IOException {
    Files.writeString(dir.resolve("web/manifest.json"), "{\"formatVersion\": 7}");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> resolve("web"))
        .withMessageContaining("format version 7, this program reads 1");
  }
}
