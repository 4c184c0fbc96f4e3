package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.TestSpark;
import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.CleanStage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The recipes of corpora of records, on files of their shape, through the whole stage. */
class RecipesSparkTest {
  private static final SparkSession spark = TestSpark.session();

  private static final String ZH =
      "早在一千年以前，这里就有渔民居住，他们在河口修建了房屋，并且与邻近的城镇交换盐和鱼。后来的两百年里，这座城市建起了学校、医院和图书馆。";
  private static final String ZH2 = "居民的生活逐渐变得富裕而安定，许多外地人也搬到这里居住，孩子们每天在新的学校里读书，老人则喜欢在港口边散步和聊天。";
  private static final String EN =
      "The first people who lived there were fishermen. They built their houses around the bay, and they traded"
          + " salt and fish with the towns that lay further up the river. Later the town built a school and a library.";

  @TempDir Path dir;

  private StageReport report;

  /** The kept documents, by text. */
  private List<Document> clean(String recipe) {
    Inputs inputs =
        Inputs.resolve(spark.sparkContext().hadoopConfiguration(), dir.resolve("raw").toString());
    ReadConfig read = ReferenceConf.recipe(recipe, "read", ReadConfig.class);
    CleanConfig clean = ReferenceConf.recipe(recipe, "clean", CleanConfig.class);
    StageOutput.Limits limits = new StageOutput.Limits(false, read.maxBrokenFraction());
    StageOutput output = new StageOutput(spark, dir.resolve("out").toString(), limits);
    report =
        output
            .run(new CleanStage(clean), inputs, new CorpusReader(inputs, read), Map.of(), false)
            .report();
    List<Document> kept =
        spark.read().parquet(dir.resolve("out/data").toString()).collectAsList().stream()
            .map(Documents::fromRow)
            .sorted(Comparator.comparing(Document::text))
            .toList();
    assertThat(kept).extracting(Document::source).containsOnly(recipe);
    return kept;
  }

  private static List<String> texts(List<Document> documents) {
    return documents.stream().map(Document::text).toList();
  }

  private void write(String name, String text) throws IOException {
    Files.createDirectories(dir.resolve("raw"));
    try (OutputStream file = Files.newOutputStream(dir.resolve("raw").resolve(name));
        OutputStream out = name.endsWith(".gz") ? new GZIPOutputStream(file) : file) {
      out.write(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }
  }

  @Test
  void tinystories_as_lists_and_as_text() throws IOException {
    write(
        "data00.json",
        """
        [{"story": "\\n\\nA. %s", "instruction": {"prompt:": "Write a story.", "words": ["salt"], \
        "features": []}, "summary": "A town.", "source": "GPT-4"}, {"story": "She went home to her mother.", "source": "GPT-3.5"}]"""
            .formatted(EN));
    write(
        "TinyStoriesV2-GPT4-valid.txt",
        "B. " + EN + "\n<|endoftext|>\nC. " + EN + "\n\nThe end.\n");
    List<Document> kept = clean("tinystories");
    assertThat(texts(kept)).containsExactly("A. " + EN, "B. " + EN, "C. " + EN + "\n\nThe end.");
    assertThat(kept.get(0).meta())
        .containsEntry("source", "GPT-4")
        .containsEntry(
            "instruction", "{\"prompt:\":\"Write a story.\",\"words\":[\"salt\"],\"features\":[]}");
    assertThat(report.droppedByReason()).containsOnlyKeys("too_short");
  }

  @Test
  void fineweb_keeps_ids_and_addresses() {
    spark
        .sql(
            ("select '%s' as text, '<urn:uuid:1>' as id, 'CC-MAIN-2013-20' as dump, 'http://a.org/1' as url,"
                    + " '2013-05-18T05:48:54Z' as date, 's3://commoncrawl/x.warc.gz' as file_path,"
                    + " 'en' as language, 0.97D as language_score, 717L as token_count")
                .formatted(EN))
        .write()
        .parquet(dir.resolve("raw").toString());
    Document kept = clean("fineweb").get(0);
    assertThat(kept.text()).isEqualTo(EN);
    assertThat(kept.id()).isEqualTo("<urn:uuid:1>");
    assertThat(kept.meta())
        .containsEntry("url", "http://a.org/1")
        .containsEntry("token_count", "717")
        .containsEntry("language_score", "0.97")
        .doesNotContainKeys("text", "id");
  }

  @Test
  void wudao_joins_title_and_content() throws IOException {
    write(
        "part-2021000001.json",
        """
        [{"id": 0, "uniqueKey": "a1", "titleUkey": "b1", "dataType": "百科", "title": "河口的城市", "content": "%s"},
        {"id": 1, "uniqueKey": "a2", "titleUkey": "b2", "dataType": "新闻", "title": "", "content": "%s"}]"""
            .formatted(ZH, ZH2));
    List<Document> kept = clean("wudao");
    assertThat(texts(kept)).containsExactly(ZH2, "河口的城市\n" + ZH);
    assertThat(kept.get(1).meta()).containsEntry("dataType", "百科").containsEntry("id", "0");
  }

  @Test
  void mnbvc_joins_the_paragraphs_of_a_file_and_reads_its_other_formats() throws IOException {
    write(
        "20230138.jsonl.gz",
        """
        {"文件名": "甲.txt", "是否待查文件": false, "是否重复文件": false, "文件大小": 1024, "simhash": 0, "最长段落长度": 70, \
        "段落数": 2, "去重段落数": 2, "低质量段落数": 0, "段落": [{"行号": 0, "是否重复": false, "是否跨文件重复": false, \
        "md5": "x", "内容": "%s"}, {"行号": 1, "是否重复": false, "是否跨文件重复": false, "md5": "y", "内容": "%s"}]}
        """
            .formatted(ZH, ZH2));
    write(
        "qa.jsonl",
        """
        {"id": 123456, "问": "怎样在河口的城市里生活？", "答": "%s", "来源": "wikihow", "元数据": \
        {"create_time": "20230511 15:56:03", "问题明细": "", "回答明细": "", "扩展字段": ""}}
        {"ID": 7, "主题": "那座城市的学校怎么样？", "来源": "论坛", "回复": [{"楼ID": "1", "回复": "%s", "扩展字段": ""}, \
        {"楼ID": "2", "回复": "说得很对，我也是这样想的。", "扩展字段": ""}], "元数据": {}}
        """
            .formatted(ZH, ZH2));
    List<Document> kept = clean("mnbvc");
    assertThat(texts(kept))
        .containsExactlyInAnyOrder(
            ZH + "\n" + ZH2, "怎样在河口的城市里生活？\n" + ZH, "那座城市的学校怎么样？\n" + ZH2 + "\n说得很对，我也是这样想的。");
    assertThat(kept).anySatisfy(d -> assertThat(d.meta()).containsEntry("文件名", "甲.txt"));
  }

  @Test
  void clue_takes_the_fields_that_a_set_has() throws IOException {
    write(
        "afqmc/train.json".replace('/', '_'),
        """
        {"sentence1": "蚂蚁借呗等额还款可以换成先息后本吗", "sentence2": "借呗有先息到期还本吗", "label": "0"}
        """);
    write(
        "tnews_train.json",
        """
        {"label": "102", "label_desc": "news_entertainment", "sentence": "河口的城市建起了新的图书馆", "keywords": ""}
        """);
    write(
        "wiki_00",
        """
        {"id": "53", "url": "https://zh.wikipedia.org/wiki?curid=53", "title": "河口", "text": "河口\\n\\n%s"}
        """
            .formatted(ZH));
    write(
        "baike_qa_valid.json",
        """
        {"qid": "qid_1", "category": "教育", "title": "孩子们在哪里读书？", "desc": "", "answer": "%s"}
        """
            .formatted(ZH2));
    List<Document> kept = clean("clue");
    assertThat(texts(kept))
        .containsExactlyInAnyOrder(
            "蚂蚁借呗等额还款可以换成先息后本吗\n借呗有先息到期还本吗",
            "河口的城市建起了新的图书馆",
            "河口\n河口\n\n" + ZH,
            "孩子们在哪里读书？\n" + ZH2);
    assertThat(kept).anySatisfy(d -> assertThat(d.meta()).containsEntry("label", "0"));
  }

  @Test
  void sharegpt_and_alpaca_become_plain_text() throws IOException {
    write(
        "ShareGPT_V3_unfiltered_cleaned_split.json",
        """
        [
          {
            "id": "dsOTKpn_0",
            "conversations": [
              {"from": "human", "value": "Who lived there first?"},
              {"from": "gpt", "value": "%s"}
            ]
          }
        ]"""
            .formatted(EN));
    write(
        "alpaca_data.json",
        """
        [{"instruction": "谁住在那里？", "input": "", "output": "%s"}]"""
            .formatted(ZH));
    List<Document> kept = clean("sharegpt");
    assertThat(texts(kept)).containsExactly("Who lived there first?\n\n" + EN, "谁住在那里？\n\n" + ZH);
    assertThat(kept.get(0).meta())
        .containsEntry("id", "dsOTKpn_0")
        .containsEntry("conversations", "[{\"from\":\"human\"},{\"from\":\"gpt\"}]");
  }
}
