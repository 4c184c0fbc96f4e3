package caravan.pipeline.text;

import java.util.Optional;

/** A rule that keeps a document or drops it with a reason. */
public sealed interface TextFilter extends Rule
    permits LengthFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
        C4QualityFilter,
        C4ParagraphFilter,
        FineWebQualityFilter,
        ChineseQualityFilter,
        AdvertisingFilter,
        BlocklistFilter,
        PerplexityFilter {

  /**
   * Tells the judge what it measures, one value after the other, as long as the judge wants to hear
   * more: {@code return judge.atLeast(…) && judge.atMost(…);}
   *
   * @return whether the judge wants to hear more
   */
  boolean measure(Passage passage, Judge judge);

  /** Why the text is dropped; empty when it is kept. */
  default Optional<Drop> check(Passage passage) {
    Judge judge = Judge.quick();
    measure(passage, judge);
    return judge.drop();
  }
}
