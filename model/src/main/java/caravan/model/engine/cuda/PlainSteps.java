package caravan.model.engine.cuda;

import caravan.model.ParameterLayout.Tensor;
import caravan.model.ParameterRanges;
import caravan.model.TensorLayout;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.ResidentTraining;
import caravan.model.engine.ResidentTraining.Optimizer;
import caravan.model.engine.ResidentTraining.Recipe;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Steps of a recipe by any engine: by its resident training where it has one, else with each
 * formula written down plainly over a gradient of the whole batch.
 */
final class PlainSteps {
  private final LlamaEngine engine;
  private final TensorLayout layout;
  private final FloatPointer parameters;
  private final Recipe recipe;

  PlainSteps(LlamaEngine engine, TensorLayout layout, FloatPointer parameters, Recipe recipe) {
    this.engine = engine;
    this.layout = layout;
    this.parameters = parameters;
    this.recipe = recipe;
  }

  /** Losses of so many steps on one batch; the parameters become those after them. */
  List<Double> take(TokenBatch batch, double rate, int steps) {
    long moved = recipe.moved().within(0, layout.length()).length();
    try (FloatPointer state = RandomModel.zeros(2 * moved)) {
      Optional<ResidentTraining> resident = engine.train(parameters, state, recipe);
      if (resident.isEmpty()) {
        return plainly(batch, rate, steps);
      }
      try (ResidentTraining training = resident.get()) {
        for (int step = 0; step < steps; step++) {
          training.step(batch, rate, step, step);
        }
        training.store();
        return training.steps().stream().map(ResidentTraining.Step::loss).toList();
      }
    }
  }

  private List<Double> plainly(TokenBatch batch, double rate, int steps) {
    List<Double> losses = new ArrayList<>();
    int length = Math.toIntExact(layout.length());
    float[] first = new float[length];
    float[] second = new float[length];
    try (FloatPointer gradient = RandomModel.zeros(length)) {
      for (int step = 0; step < steps; step++) {
        TrainingPass pass = TrainingPass.whole(recipe.objective(), step, batch);
        losses.add(engine.lossAndGradient(parameters, gradient, batch, pass).objective());
        double factor = factor(gradient);
        for (Tensor tensor : layout.tensors()) {
          double decay = rate * recipe.decay().of(tensor);
          ParameterRanges part =
              recipe.moved().within(tensor.offset(), tensor.offset() + tensor.length());
          for (int range = 0; range < part.count(); range++) {
            for (int i = (int) part.from(range); i < part.to(range); i++) {
              double g = factor * gradient.get(i);
              double update = rate * update(g, first, second, i, step + 1);
              float weight = parameters.get(i);
              parameters.put(i, (float) (weight - update - decay * weight));
            }
          }
        }
      }
    }
    return losses;
  }

  /** By which the gradient's norm over what is moved becomes at most the clipping's. */
  private double factor(FloatPointer gradient) {
    ParameterRanges moved = recipe.moved().within(0, layout.length());
    double squares = 0;
    for (int range = 0; range < moved.count(); range++) {
      for (long i = moved.from(range); i < moved.to(range); i++) {
        squares += (double) gradient.get(i) * gradient.get(i);
      }
    }
    double most = recipe.optimizer().clipNorm();
    return most > 0 ? Math.min(1, most / Math.sqrt(squares)) : 1;
  }

  /** What is subtracted, over the learning rate; steps count from 1. */
  private double update(double g, float[] first, float[] second, int i, int step) {
    Optimizer o = recipe.optimizer();
    double before = first[i];
    switch (o.rule()) {
      case ADAMW -> {
        double m = o.beta1() * before + (1 - o.beta1()) * g;
        double v = o.beta2() * second[i] + (1 - o.beta2()) * g * g;
        first[i] = (float) m;
        second[i] = (float) v;
        double root = Math.sqrt(v / (1 - Math.pow(o.beta2(), step)));
        return m / (1 - Math.pow(o.beta1(), step)) / (root + o.epsilon());
      }
      case LION -> {
        first[i] = (float) (o.beta2() * before + (1 - o.beta2()) * g);
        return Math.signum(o.beta1() * before + (1 - o.beta1()) * g);
      }
      case SGD -> {
        double momentum = g + o.beta1() * before;
        first[i] = (float) momentum;
        return momentum;
      }
      default -> throw new IllegalArgumentException("optimizer: got " + o.rule());
    }
  }
}
