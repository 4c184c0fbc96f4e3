package caravan.model;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.SafeTensors;
import caravan.model.engine.TokenBatch;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.StreamSupport;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A tiny random model made by {@code model/src/test/python/make_golden.py} with the real
 * transformers, and what transformers computes with it.
 */
public final class Golden implements AutoCloseable {
  public static final List<String> CASES =
      List.of(
          "tied",
          "grouped-untied",
          "multi-query-bfloat16",
          "linear",
          "dynamic",
          "llama3",
          "llama31");

  private final Checkpoint model;
  private final JsonNode values;
  private final SafeTensors tensors;

  private Golden(String name) throws IOException {
    Path folder =
        Path.of(System.getProperty("caravan.root"), "model/src/test/resources/golden", name);
    model = Checkpoints.open(folder.toString(), new Configuration());
    values = new ObjectMapper().readTree(folder.resolve("golden.json").toFile());
    tensors =
        SafeTensors.open(folder.resolve("golden.safetensors").toString(), new Configuration());
  }

  public static Golden open(String name) throws IOException {
    return new Golden(name);
  }

  public Checkpoint model() {
    return model;
  }

  public LlamaConfig config() {
    return model.config();
  }

  public FloatPointer parameters() {
    return model.parameters();
  }

  /** The ids, and as targets transformers' labels shifted by one. */
  public TokenBatch batch() {
    int rows = values.get("ids").size();
    int seq = values.get("ids").get(0).size();
    int[] ids = new int[rows * seq];
    int[] targets = new int[ids.length];
    Arrays.fill(targets, TokenBatch.IGNORED);
    for (int r = 0; r < rows; r++) {
      for (int t = 0; t < seq; t++) {
        ids[r * seq + t] = values.get("ids").get(r).get(t).asInt();
        int label = values.get("labels").get(r).get(t).asInt();
        if (t > 0 && label >= 0) {
          targets[r * seq + t - 1] = label;
        }
      }
    }
    return new TokenBatch(ids, targets, rows, seq);
  }

  public double loss() {
    return values.get("loss").asDouble();
  }

  public int[] prompt() {
    return ints(values.get("prompt"));
  }

  /** What transformers' greedy search adds to the prompt. */
  public int[] continuation() {
    return ints(values.get("continuation"));
  }

  private static int[] ints(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
  }

  /** [batch × seq × vocab] for the ids of {@link #batch}. */
  public float[] logits() {
    return tensor("logits");
  }

  /** The loss's gradient by a parameter, under Hugging Face's name. */
  public float[] gradient(String name) {
    return tensor("gradient." + name);
  }

  /** A parameter after two steps of AdamW (rate .01, decay .1, clipping at 1) on the batch. */
  public float[] stepped(String name) {
    return tensor("stepped." + name);
  }

  /** Cross entropy with label smoothing 0.1 plus z-loss with coefficient 0.01; in some cases. */
  public double objective() {
    return values.get("objective").asDouble();
  }

  /** The objective's gradient by a parameter. */
  public float[] objectiveGradient(String name) {
    return tensor("objective." + name);
  }

  /**
   * A parameter after three steps on the batch, clipped at 1.
   *
   * @param optimizer {@code sgd} (rate .1, momentum .9) or {@code lion} (rate .01, betas .9, .99)
   */
  public float[] steppedBy(String optimizer, String name) {
    return tensor(optimizer + "." + name);
  }

  /** Natural log-probability of a token at position {@code p} of the flat batch. */
  public double logProbability(int p, int token) {
    float[] logits = logits();
    int vocab = config().vocabSize();
    double sum = 0;
    for (int id = 0; id < vocab; id++) {
      sum += Math.exp(logits[p * vocab + id]);
    }
    return logits[p * vocab + token] - Math.log(sum);
  }

  /** The token with the highest logit at position {@code p} of the flat batch. */
  public int greedy(int p) {
    float[] logits = logits();
    int vocab = config().vocabSize();
    int best = 0;
    for (int id = 1; id < vocab; id++) {
      best = logits[p * vocab + id] > logits[p * vocab + best] ? id : best;
    }
    return best;
  }

  private float[] tensor(String name) {
    SafeTensors.Entry entry = tensors.entries().get(name);
    assertThat(entry).as("golden tensor " + name).isNotNull();
    float[] values = new float[(int) entry.length()];
    try (FloatPointer floats = new FloatPointer(entry.length())) {
      tensors.read(entry, floats, 0);
      floats.get(values);
    }
    return values;
  }

  @Override
  public void close() {
    model.close();
    tensors.close();
  }
}
