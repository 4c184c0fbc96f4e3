package caravan.jobs.chat;

import caravan.model.sft.MaskedExample;
import caravan.model.sft.TrainedSpan;
import caravan.pipeline.tokenize.TokenBuffer;
import caravan.pipeline.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * The one way from a conversation to token ids, in training and in generation: {@code <s>Human:
 * {question}\n</s><s>Assistant: {answer}\n</s>}, repeated for more turns, where {@code <s>} and
 * {@code </s>} are the ids BOS and EOS. Markers that users type stay text.
 *
 * <p>A segment is what is encoded by itself. A human's (or system's) turn is one segment, {@code
 * Human: {question}\n}. An assistant's turn is two: the header {@code Assistant:} and {@code
 * {answer}\n}. The space between them belongs to the answer, because vocabularies put a space at
 * the head of a word: a tokenizer that opens every text with a space (SentencePiece's dummy prefix)
 * gets the answer as it is, any other gets it with the space in front. A prompt ends with the
 * header, so its ids are the first ids of the training sequence whatever the answer, and the first
 * sampled token brings the space. Where no piece of the vocabulary runs over a space, the ids are
 * also those of {@code Assistant: {answer}\n} encoded in one go.
 *
 * <p>Trained are the answer, its line break and its EOS, so that the model learns to stop;
 * everything else is context. These are spans of the ids as they are laid down, never lengths of
 * texts tokenized again.
 */
public final class ChatTemplate {
  private static final String HEADER = Role.ASSISTANT.label() + ":";

  private final Tokenizer tokenizer;
  private final String answerPrefix;

  /**
   * @throws IllegalArgumentException when the tokenizer has no BOS or no EOS
   */
  public ChatTemplate(Tokenizer tokenizer) {
    if (tokenizer.bosId() < 0 || tokenizer.eosId() < 0) {
      throw new IllegalArgumentException(
          "chat needs a tokenizer with BOS and EOS: got BOS %d and EOS %d of %d ids"
              .formatted(tokenizer.bosId(), tokenizer.eosId(), tokenizer.vocabSize()));
    }
    this.tokenizer = tokenizer;
    this.answerPrefix = opensTextWithSpace(tokenizer) ? "" : " ";
  }

  private static boolean opensTextWithSpace(Tokenizer tokenizer) {
    TokenBuffer joined = new TokenBuffer();
    tokenizer.encodeTo(HEADER, joined);
    tokenizer.encodeTo("a", joined);
    return tokenizer.decode(joined.toArray()).equals(HEADER + " a");
  }

  /**
   * The ids of a whole conversation up to its last answer.
   *
   * @param conversation one without {@link Conversation#defect}
   */
  public MaskedExample encode(Conversation conversation) {
    TokenBuffer ids = new TokenBuffer();
    List<TrainedSpan> trained = new ArrayList<>();
    for (Message message : conversation.untilLastAnswer()) {
      if (message.role() == Role.ASSISTANT) {
        openAnswer(ids);
        int start = ids.size();
        addAnswer(message.text(), ids);
        trained.add(new TrainedSpan(start, ids.size()));
      } else {
        addContext(message, ids);
      }
    }
    return new MaskedExample(ids.toArray(), trained);
  }

  /**
   * The ids after which a model answers: every message, then the assistant's header.
   *
   * @throws IllegalArgumentException when the last message is not a user's
   */
  public int[] prompt(Conversation conversation) {
    List<Message> messages = conversation.messages();
    if (messages.isEmpty() || messages.get(messages.size() - 1).role() != Role.USER) {
      throw new IllegalArgumentException(
          conversation.id() + ": a prompt must end with a user's message");
    }
    TokenBuffer ids = new TokenBuffer();
    ids.add(encode(conversation).ids());
    messages
        .subList(conversation.untilLastAnswer().size(), messages.size())
        .forEach(message -> addContext(message, ids));
    openAnswer(ids);
    return ids.toArray();
  }

  /** The ids that training puts after a prompt: the answer, its line break and EOS. */
  public int[] answerIds(String answer) {
    TokenBuffer ids = new TokenBuffer();
    addAnswer(answer, ids);
    return ids.toArray();
  }

  /**
   * The text of generated ids: without EOS, the answer's space and its line break.
   *
   * @param ids what a model appended to {@link #prompt}
   */
  public String answer(int... ids) {
    return tokenizer.decode(ids).strip();
  }

  private void addContext(Message message, TokenBuffer ids) {
    ids.add(tokenizer.bosId());
    tokenizer.encodeTo(message.role().label() + ": " + message.text() + "\n", ids);
    ids.add(tokenizer.eosId());
  }

  private void addAnswer(String text, TokenBuffer ids) {
    tokenizer.encodeTo(answerPrefix + text + "\n", ids);
    ids.add(tokenizer.eosId());
  }

  private void openAnswer(TokenBuffer ids) {
    ids.add(tokenizer.bosId());
    tokenizer.encodeTo(HEADER, ids);
  }
}
