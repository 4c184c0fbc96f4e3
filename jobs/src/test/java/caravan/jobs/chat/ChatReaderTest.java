package caravan.jobs.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.jobs.chat.ChatRecord.Broken;
import caravan.jobs.chat.ChatRecord.Readable;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChatReaderTest {
  private static List<ChatRecord> read(String file, byte[] bytes) {
    List<ChatRecord> records = new ArrayList<>();
    ChatReader.read(new ByteArrayInputStream(bytes), file).forEachRemaining(records::add);
    return records;
  }

  private static List<ChatRecord> read(String file, String text) {
    return read(file, text.getBytes(StandardCharsets.UTF_8));
  }

  private static List<Message> messages(ChatRecord record) {
    assertThat(record).isInstanceOf(Readable.class);
    return ((Readable) record).conversation().messages();
  }

  private static Defect defect(ChatRecord record) {
    assertThat(record).isInstanceOf(Broken.class);
    return ((Broken) record).defect();
  }

  private static Message user(String text) {
    return new Message(Role.USER, text);
  }

  private static Message assistant(String text) {
    return new Message(Role.ASSISTANT, text);
  }

  @Test
  void csvHoldsTurnsOverSeveralLines() {
    List<ChatRecord> records =
        read(
            "sft.csv",
            """
            text
            "<s>Human: 用一句话说，
            什么是""天""？
            </s><s>Assistant: 天空, 蓝色
            </s>"
            "<s>Human: a
            </s><s>Assistant: b
            </s><s>Human: c
            </s><s>Assistant: d
            </s>"
            """);

    assertThat(messages(records.get(0)))
        .containsExactly(user("用一句话说，\n什么是\"天\"？"), assistant("天空, 蓝色"));
    assertThat(messages(records.get(1)))
        .containsExactly(user("a"), assistant("b"), user("c"), assistant("d"));
    assertThat(records).extracting(ChatRecord::id).containsExactly("sft.csv#1", "sft.csv#2");
  }

  @Test
  void csvWithQuotedHeaderAndWithoutSpacesAndLineBreaksIsReadToo() {
    List<ChatRecord> records =
        read("train_sft.csv", "\"text\"\r\n\"<s>Human:变电</s><s>Assistant: 一级</s>\"\r\n");

    assertThat(messages(records.get(0))).containsExactly(user("变电"), assistant("一级"));
    assertThat(records).hasSize(1);
  }

  @Test
  void struckOutHtmlInATurnIsText() {
    List<ChatRecord> records =
        read("a.csv", "text\n\"<s>Human: <s>old</s> new</s><s>Assistant: see <s>x</s>\n</s>\"\n");

    assertThat(messages(records.get(0)))
        .containsExactly(user("<s>old</s> new"), assistant("see <s>x</s>"));
  }

  @Test
  void brokenCsvRecordsComeInTheirPlaceWithTheReason() {
    List<ChatRecord> records =
        read(
            "a.csv",
            """
            id,text
            1,<s>Human: q</s><s>Assistant: a</s>
            2,question: q answer: a
            3
            4,"<s>Human: "q"</s><s>Assistant: a</s>"
            5,<s>Human: q</s>
            6,<s>Human: q</s><s>Human: r</s><s>Assistant: a</s>
            7,<s>Human: q</s><s>Assistant:  </s>
            """);

    assertThat(records).hasSize(7);
    assertThat(messages(records.get(0))).hasSize(2);
    assertThat(records.subList(1, 7))
        .extracting(ChatReaderTest::defect)
        .containsExactly(
            new Defect(
                "not_turns",
                "at character 0: got `question: q answer: a`, wanted `<s>Human: …</s>` or"
                    + " `<s>Assistant: …</s>`"),
            new Defect("bad_csv", "got 1 fields, the header has 2"),
            new Defect("bad_csv", "a quote inside a quoted field is not doubled"),
            new Defect("no_answer", "1 messages and no assistant's among them"),
            new Defect("turns_out_of_order", "message 2 is Human, wanted Assistant"),
            new Defect("empty_turn", "message 2 of 2 has no text"));
    assertThat(((Broken) records.get(1)).raw()).isEqualTo("2,question: q answer: a");
  }

  @Test
  void aQuoteThatIsNotClosedIsRefusedBecauseItSwallowsEveryLaterRow() {
    String text =
        """
        text
        "<s>Human: q
        </s><s>Assistant: a</s>"
        "<s>Human: q</s>
        <s>Human: q</s><s>Assistant: a</s>
        """;

    assertThatThrownBy(() -> read("a.csv", text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "a.csv: a quote in the row that begins at line 4 is not closed before the file's end;"
                + " repair the file");
  }

  @Test
  void aCsvWithoutATextColumnIsRefused() {
    assertThatThrownBy(() -> read("a.csv", "prompt,answer\nx,y\n"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a.csv: got the columns [prompt, answer], wanted a column named text");
    assertThatThrownBy(() -> read("a.csv", ""))
        .hasMessage("a.csv: got the columns [], wanted a column named text");
  }

  @Test
  void alpacaArraysJoinInstructionAndInput() {
    List<ChatRecord> records =
        read(
            "alpaca_zh.json",
            """
            [
              {"instruction": "翻译", "input": "天空", "output": "sky"},
              {"instruction": "Say hello", "input": "", "output": "hello"},
              {"instruction": "no input", "output": "fine"}
            ]
            """);

    assertThat(messages(records.get(0))).containsExactly(user("翻译\n天空"), assistant("sky"));
    assertThat(messages(records.get(1))).containsExactly(user("Say hello"), assistant("hello"));
    assertThat(messages(records.get(2))).containsExactly(user("no input"), assistant("fine"));
  }

  @Test
  void shareGptAndOpenAiAndTurnTextAreToldApartByTheirKeys() {
    List<ChatRecord> records =
        read(
            "chat.jsonl",
            """
            {"id": "x7", "conversations": [{"from": "system", "value": "be kind"}, {"from": "human", "value": "你好"}, {"from": "gpt", "value": "hello"}]}

            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
            {"text": "<s>Human: c\\n</s><s>Assistant: d\\n</s>"}
            """);

    assertThat(messages(records.get(0)))
        .containsExactly(new Message(Role.SYSTEM, "be kind"), user("你好"), assistant("hello"));
    assertThat(messages(records.get(1))).containsExactly(user("a"), assistant("b"));
    assertThat(messages(records.get(2))).containsExactly(user("c"), assistant("d"));
    assertThat(records)
        .extracting(ChatRecord::id)
        .containsExactly("x7", "chat.jsonl#2", "chat.jsonl#3");
  }

  @Test
  void brokenJsonRecordsComeInTheirPlaceWithTheReason() {
    List<ChatRecord> records =
        read(
            "chat.jsonl",
            """
            {"messages": [
            [1, 2]
            {"question": "q", "answer": "a"}
            {"instruction": "q"}
            {"instruction": "q", "output": 7}
            {"messages": "q"}
            {"conversations": [{"from": "human", "value": "q"}, {"from": "bing", "value": "a"}]}
            {"conversations": [{"from": "gpt", "value": "I begin"}, {"from": "human", "value": "q"}]}
            """);

    assertThat(records)
        .extracting(ChatReaderTest::defect)
        .extracting(Defect::reason)
        .containsExactly(
            "bad_json",
            "not_an_object",
            "unknown_layout",
            "missing_field",
            "wrong_type",
            "wrong_type",
            "unknown_role",
            "turns_out_of_order");
    assertThat(defect(records.get(2)).detail())
        .isEqualTo(
            "got the keys [question, answer], wanted conversations, messages, instruction or text");
    assertThat(defect(records.get(4)).detail()).isEqualTo("output: got number, wanted a string");
    assertThat(defect(records.get(6)).detail())
        .isEqualTo("got `bing`, wanted system, human or user, gpt or assistant");
  }

  @Test
  void anArrayThatIsCutOffIsRefusedWithTheRecordBeforeTheBreak() {
    String text = "[{\"instruction\": \"q\", \"output\": \"a\"},\n{\"instruction\": ";

    assertThatThrownBy(() -> read("a.json", text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("a.json: not JSON after record 1, at line 2, character ")
        .hasMessageEndingWith("; repair the file, or write one object per line");
  }

  @Test
  void aRecordThatIsNotUtf8IsKeptAsideAndAByteOrderMarkIsSkipped() {
    byte[] gbk = {'{', '"', 't', 'e', 'x', 't', '"', ':', '"', (byte) 0xC4, (byte) 0xE3, '"', '}'};

    assertThat(defect(read("a.jsonl", gbk).get(0)))
        .isEqualTo(new Defect("not_utf8", "character 9 is no UTF-8, or is U+FFFD"));
    assertThat(read("a.csv", "\uFEFFtext\n<s>Human: q</s><s>Assistant: a</s>\n")).hasSize(1);
  }

  @Test
  void aFileOfAnotherKindIsRefused() {
    assertThatThrownBy(() -> read("a.txt", "x"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "a.txt: wanted a name that ends in .csv, .json or .jsonl; rename or convert the file");
    assertThat(ChatReader.reads("s3a://b/A.JSONL")).isTrue();
    assertThat(ChatReader.reads("a.yml")).isFalse();
  }
}
