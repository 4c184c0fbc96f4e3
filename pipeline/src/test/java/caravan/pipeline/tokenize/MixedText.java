package caravan.pipeline.tokenize;

import caravan.pipeline.Document;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/** Chinese and English text with what breaks tokenizers, made anew from a seed. */
final class MixedText {
  private static final String[] CHINESE = {
    "今天的天气非常好，我们一起去公园散步吧。",
    "这本书讲述了一个关于勇气和友谊的故事。",
    "机器学习需要大量的数据和计算资源。",
    "他每天早上六点起床，然后去河边跑步。",
    "请把窗户关上，外面的风太大了！",
    "语言模型根据前面的词预测下一个词。",
    "老师说：“学习语言最重要的是坚持。”",
    "北京是中国的首都，有三千多年的历史。",
    "我最喜欢吃的菜是西红柿炒鸡蛋。",
    "火车将于下午三点二十分到达上海。",
    "数据清洗之后，文档的质量明显提高了。",
    "如果明天下雨，比赛就推迟到下个星期。"
  };
  private static final String[] ENGLISH = {
    "The quick brown fox jumps over the lazy dog.",
    "Language models predict the next token from the ones before it.",
    "She opened the window and looked out at the quiet street.",
    "It's hard to say what they'd have done without us.",
    "In 2024, about 1,234,567 people visited the museum.",
    "Training data should be cleaned before it is tokenized.",
    "\"Where are you going?\" he asked, but nobody answered.",
    "The train leaves at 15:20 and arrives in the evening.",
    "We walked along the river until it was dark.",
    "A good test says what went wrong, and where."
  };
  private static final String[] ODD = {
    "😀",
    "👨‍👩‍👧",
    "𠮷野家",
    "𝒜𝓁𝑔",
    "🇨🇳",
    "e\u0301",
    "é",
    "\u3000",
    "  ",
    "    ",
    "\t",
    "\uE000",
    "\uF8FF",
    "\uFFFD",
    "Ａ１",
    "ﷺ",
    "한국어",
    "привет",
    "ひらカタ",
    "<s>",
    "</s>",
    "<0x41>",
    "▅",
    "\u200B",
    "\uFEFF",
    "\0",
    "龘",
    "naïve",
    "https://a.b/c?d=1&e=%20",
    "{\"k\": [1, 2]}",
    "——",
    "……",
    "aaaaaaaa",
    "\r"
  };

  private MixedText() {}

  /** Lines without a line end. */
  static List<String> lines(int count, long seed) {
    Random random = new Random(seed);
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      StringBuilder line = new StringBuilder();
      for (int n = random.nextInt(5); n >= 0; n--) {
        int kind = random.nextInt(10);
        String[] from = kind < 4 ? CHINESE : kind < 8 ? ENGLISH : ODD;
        String text = from[random.nextInt(from.length)];
        int start = kind % 4 == 3 ? text.offsetByCodePoints(0, random.nextInt(2)) : 0;
        line.append(text, Math.min(start, text.length()), text.length());
        if (random.nextBoolean()) line.append(' ');
      }
      lines.add(line.toString());
    }
    return lines;
  }

  /** Documents of a few lines each. */
  static List<Document> documents(int count, long seed) {
    List<String> lines = lines(4 * count, seed);
    return IntStream.range(0, count)
        .mapToObj(
            i ->
                new Document(
                    "doc-" + i,
                    "mixed",
                    "mixed.txt",
                    "zh",
                    String.join("\n", lines.subList(4 * i, 4 * i + 1 + i % 4)),
                    Map.of()))
        .toList();
  }
}
