package caravan.jobs.audit;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.audit.TextChanges.Kind;
import caravan.jobs.audit.TextChanges.Piece;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class TextChangesTest {
  private static List<String> lines(String before, String after) {
    return TextChanges.first(before, after, 6, 3).stream().map(TextChanges::line).toList();
  }

  @Test
  void aChangeShowsWhatWasThereAndWhatIsThereNow() {
    assertThat(lines("第１２章 春天", "第12章 春天")).containsExactly("第[-１２-]{+12+}章 春天");
    assertThat(lines("Call me at a@b.org today", "Call me at <email> today"))
        .containsExactly("…me at [-a@b.org-]{+<email>+} today");
    assertThat(lines("same", "same")).isEmpty();
    assertThat(lines("", "new")).containsExactly("{+new+}");
    assertThat(lines("old", "")).containsExactly("[-old-]");
  }

  @Test
  void invisibleCharactersAreShown() {
    assertThat(lines("零\u200B宽\r\n行", "零宽\n行")).containsExactly("零[-⟨U+200B⟩-]宽[-⟨U+000D⟩-]⏎行");
    assertThat(Excerpt.visible("\u202Ex\uD800\u3000")).isEqualTo("⟨U+202E⟩x⟨U+D800⟩\u3000");
  }

  @Test
  void changesThatLieApartStandApartAndAtMostSoManyAreShown() {
    String gap = "，" + "春".repeat(40) + "，";
    String before = "a" + gap + "b" + gap + "c" + gap + "d" + gap;
    List<String> lines = lines(before, before.toUpperCase());
    assertThat(lines)
        .containsExactly(
            "[-a-]{+A+}，春春春春春…", "…春春春春春，[-b-]{+B+}，春春春春春…", "…春春春春春，[-c-]{+C+}，春春春春春…");
  }

  @Test
  void piecesOfBothTextsAddUpToThem() {
    Random random = new Random(5);
    for (int round = 0; round < 300; round++) {
      String before = random(random);
      String after = random(random);
      List<Piece> pieces = TextChanges.pieces(before, after);
      assertThat(without(pieces, Kind.ADDED)).isEqualTo(before);
      assertThat(without(pieces, Kind.REMOVED)).isEqualTo(after);
    }
  }

  @Test
  void textsOfVeryDifferentLengthWithNothingInCommonAreCompared() {
    Random random = new Random(6);
    for (int round = 0; round < 200; round++) {
      String before = random(random, random.nextInt(1500));
      String after = random(random, random.nextInt(1500)).replace("中", "国").replace(" ", "_");
      List<Piece> pieces = TextChanges.pieces(before, after);
      assertThat(before).startsWith(without(pieces, Kind.ADDED));
      assertThat(after).startsWith(without(pieces, Kind.REMOVED));
      assertThat(pieces).isNotEmpty();
    }
  }

  private static String random(Random random) {
    return random(random, random.nextInt(30));
  }

  private static String random(Random random, int length) {
    return random
        .ints(length, 0, 5)
        .mapToObj(i -> List.of("ab", "中", "\uD842\uDFB7", " ", ".").get(i))
        .collect(Collectors.joining());
  }

  private static String without(List<Piece> pieces, Kind kind) {
    return pieces.stream()
        .filter(p -> p.kind() != kind)
        .map(Piece::text)
        .collect(Collectors.joining());
  }

  @Test
  void aTextThatChangedEverywhereIsComparedUpToItsFirstChanges() {
    String before = "一二三 ".repeat(100_000);
    String after = "一，三 ".repeat(100_000);
    List<Piece> pieces = TextChanges.pieces(before, after);
    assertThat(before).startsWith(without(pieces, Kind.ADDED));
    assertThat(after).startsWith(without(pieces, Kind.REMOVED));
    assertThat(pieces).hasSizeGreaterThan(300);
  }
}
