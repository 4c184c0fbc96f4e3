package caravan.model.checkpoint;

import caravan.model.checkpoint.TorchTensor.Storage;
import caravan.model.checkpoint.TorchTensor.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** What the names in a PyTorch state dict's pickle stand for; there are no others for us. */
final class TorchObjects implements Pickle.Builder {
  private static final String TENSOR = "torch._utils._rebuild_tensor_v2";
  private static final String PARAMETER = "torch._utils._rebuild_parameter";
  private static final String DICT = "collections.OrderedDict";
  private static final String SIZE = "torch.Size";
  private static final Set<String> CALLABLE = Set.of(TENSOR, PARAMETER, DICT, SIZE);
  private static final Set<String> STORAGES =
      Arrays.stream(Type.values()).map(t -> "torch." + t).collect(Collectors.toSet());

  private final String where;

  TorchObjects(String where) {
    this.where = where;
  }

  @Override
  public boolean knows(String global) {
    return CALLABLE.contains(global) || STORAGES.contains(global);
  }

  @Override
  public Object call(String global, List<Object> arguments) {
    return switch (global) {
      case TENSOR -> tensor(arguments);
      case PARAMETER -> argument(arguments, 0, TorchTensor.class, PARAMETER);
      case DICT -> dict(arguments);
      case SIZE -> new ArrayList<>(arguments);
      default -> throw wrong("calls " + global + ", which is only a kind of storage");
    };
  }

  /** (storage, offset, size, stride, requires_grad, backward_hooks, …). */
  private TorchTensor tensor(List<Object> arguments) {
    try {
      return new TorchTensor(
          argument(arguments, 0, Storage.class, TENSOR),
          argument(arguments, 1, Long.class, TENSOR),
          numbers(argument(arguments, 2, List.class, TENSOR)),
          numbers(argument(arguments, 3, List.class, TENSOR)));
    } catch (IllegalArgumentException e) {
      throw e.getMessage().startsWith(where) ? e : wrong(e.getMessage());
    }
  }

  private Object dict(List<Object> arguments) {
    if (!arguments.isEmpty()) {
      throw wrong("an OrderedDict made of " + Pickle.kind(arguments.get(0)) + ", wanted an empty");
    }
    return new LinkedHashMap<>();
  }

  /** ("storage", kind, key, device, elements); where its device was is of no interest. */
  @Override
  public Object persistent(Object id) {
    if (id instanceof List<?> parts
        && parts.size() == 5
        && "storage".equals(parts.get(0))
        && parts.get(1) instanceof Pickle.Global kind
        && STORAGES.contains(kind.name())
        && parts.get(2) instanceof String key
        && parts.get(4) instanceof Long elements
        && elements >= 0) {
      Type type = Type.valueOf(kind.name().substring("torch.".length()));
      return new Storage(type, key, elements);
    }
    throw wrong("a persistent id that is " + Pickle.kind(id) + ", wanted a storage of a tensor");
  }

  private List<Long> numbers(List<?> values) {
    List<Long> numbers = new ArrayList<>();
    for (Object value : values) {
      if (!(value instanceof Long number)) {
        throw wrong("a shape with " + Pickle.kind(value) + " in it");
      }
      numbers.add(number);
    }
    return numbers;
  }

  private <T> T argument(List<Object> arguments, int index, Class<T> type, String function) {
    if (index < arguments.size() && type.isInstance(arguments.get(index))) {
      return type.cast(arguments.get(index));
    }
    throw wrong(
        "argument %d of %s is %s, wanted a %s"
            .formatted(
                index,
                function,
                index < arguments.size() ? Pickle.kind(arguments.get(index)) : "missing",
                type.getSimpleName()));
  }

  private IllegalArgumentException wrong(String what) {
    return new IllegalArgumentException(where + ": " + what);
  }
}
