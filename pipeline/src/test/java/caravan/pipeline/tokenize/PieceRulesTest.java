package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PieceRulesTest {
  private final PieceRules rules = new PieceRules(16, true);

  private boolean mayBePiece(String text) {
    int[] all = text.codePoints().toArray();
    return rules.mayBePiece(new int[] {all[0]}, java.util.Arrays.copyOfRange(all, 1, all.length));
  }

  @Test
  void aPieceIsOfOneScript() {
    assertThat(List.of("hello", "中国", "日本ひらカタ", "ラー", "...", "你们", "e\u0301a", "привет"))
        .allMatch(this::mayBePiece);
    assertThat(List.of("a中", "中。", "a.", "C语言", "'s", "приvet", "3D")).noneMatch(this::mayBePiece);
  }

  @Test
  void aSpaceStandsFirstOrAmongSpacesAlone() {
    assertThat(List.of("▁a", "▁中国", "▁▁", "▁▁▁▁", "▁(")).allMatch(this::mayBePiece);
    assertThat(List.of("a▁", "▁▁a", "a▁b", "▁a▁")).noneMatch(this::mayBePiece);
  }

  @Test
  void digitsStandAloneWhenTheyAreSplit() {
    assertThat(List.of("12", "▁1", "２０")).noneMatch(this::mayBePiece);
    assertThat(new PieceRules(16, false).mayBePiece(new int[] {'1'}, new int[] {'2'})).isTrue();
  }

  @Test
  void aPieceIsNoLongerThanTheLimit() {
    assertThat(mayBePiece("a".repeat(16))).isTrue();
    assertThat(mayBePiece("a".repeat(17))).isFalse();
  }

  @Test
  void whatACutPartsNoPieceHolds() {
    int[] characters = "ab▁1２中ひー。.,😀\u0301\u0302éя€".codePoints().toArray();
    Random random = new Random(3);
    for (int i = 0; i < 20_000; i++) {
      int[] piece = random.ints(2 + random.nextInt(4), 0, characters.length).toArray();
      for (int k = 0; k < piece.length; k++) piece[k] = characters[piece[k]];
      if (!rules.mayBePiece(new int[0], piece)) continue;
      for (int k = 1; k < piece.length; k++) {
        assertThat(rules.mayJoin(piece[k - 1], piece[k]))
            .as(new String(piece, 0, piece.length))
            .isTrue();
      }
    }
  }
}
