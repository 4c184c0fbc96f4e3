package caravan.model.checkpoint;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads Python's pickles as data. A pickle is a program that may call any function of any module;
 * this reader has no functions to call: it knows the operations that build plain values, and hands
 * the names that a pickle calls to a {@link Builder}, which makes a value of ours for those it
 * knows. Every other name is refused before anything is made of it.
 *
 * <p>Values: Long, Double, Boolean, String, byte[], List (also for tuples), Map with such keys, and
 * {@link #NONE}. Protocols 0 to 5, as far as values of these kinds are written by them in binary.
 */
final class Pickle {
  /** Python's None. */
  static final Object NONE =
      new Object() {
        @Override
        public String toString() {
          return "None";
        }
      };

  /** A function or class that the pickle names. */
  record Global(String name) {}

  /** What names and persistent ids stand for. */
  interface Builder {
    boolean knows(String global);

    /** The value of calling a known name. */
    Object call(String global, List<Object> arguments);

    /** The value that the pickle keeps elsewhere. */
    Object persistent(Object id);
  }

  /** A pickle of one byte operations would otherwise become objects of fifty bytes each. */
  private static final int MAX_OPERATIONS = 4_000_000;

  private static final int NEWEST_PROTOCOL = 5;

  private final PickleInput in;
  private final Builder builder;
  private final Map<Integer, Object> memo = new HashMap<>();
  private final ArrayDeque<List<Object>> outer = new ArrayDeque<>();
  private List<Object> stack = new ArrayList<>();

  private Pickle(byte[] pickle, String where, Builder builder) {
    this.in = new PickleInput(pickle, where);
    this.builder = builder;
  }

  /**
   * @param where names the pickle in messages
   * @throws IllegalArgumentException when it is no whole pickle, or names what the builder does not
   *     know
   */
  static Object read(byte[] pickle, String where, Builder builder) {
    return new Pickle(pickle, where, builder).run();
  }

  private Object run() {
    for (int done = 0; done < MAX_OPERATIONS; done++) {
      int operation = in.operation();
      if (operation == '.') {
        return pop();
      }
      step(operation);
    }
    throw wrong("more than " + MAX_OPERATIONS + " operations, wanted the names of tensors");
  }

  private void step(int operation) {
    switch (operation) {
      case 0x80 -> protocol(in.unsigned());
      case 0x95 -> in.skip(8); // FRAME: only how much a reader may read at once
      case '(' -> mark();
      case '0' -> pop();
      case '2' -> push(peek());
      case '1' -> sinceMark();
      case 'N' -> push(NONE);
      case 0x88 -> push(true);
      case 0x89 -> push(false);
      case 'J' -> push(in.number(4));
      case 'K' -> push((long) in.unsigned());
      case 'M' -> push((long) in.unsignedShort());
      case 0x8a -> push(in.number(in.unsigned()));
      case 'G' -> push(in.bigEndianDouble());
      case 'X' -> push(in.text(in.length(4)));
      case 0x8c -> push(in.text(in.unsigned()));
      case 0x8d -> push(in.text(in.length(8)));
      case 'U', 'C' -> push(in.array(in.unsigned()));
      case 'T', 'B' -> push(in.array(in.length(4)));
      case 0x8e, 0x96 -> push(in.array(in.length(8)));
      default -> container(operation);
    }
  }

  private void container(int operation) {
    switch (operation) {
      case ']', 0x8f -> push(new ArrayList<>());
      case ')' -> push(List.of());
      case '}' -> push(new LinkedHashMap<>());
      case 't', 'l', 0x91 -> push(sinceMark());
      case 'd' -> {
        List<Object> pairs = sinceMark();
        push(putAll(new LinkedHashMap<>(), pairs));
      }
      case 0x85 -> push(top(1));
      case 0x86 -> push(top(2));
      case 0x87 -> push(top(3));
      case 'a' -> append(top(1));
      case 'e', 0x90 -> append(sinceMark());
      case 's' -> {
        List<Object> pair = top(2);
        putAll(map(peek()), pair);
      }
      case 'u' -> {
        List<Object> pairs = sinceMark();
        putAll(map(peek()), pairs);
      }
      case 'q' -> memo.put(in.unsigned(), peek());
      case 'r' -> memo.put(in.length(4), peek());
      case 0x94 -> memo.put(memo.size(), peek());
      case 'h' -> push(remembered(in.unsigned()));
      case 'j' -> push(remembered(in.length(4)));
      default -> call(operation);
    }
  }

  private void call(int operation) {
    switch (operation) {
      case 'c' -> push(global(in.line(), in.line()));
      case 0x93 -> {
        List<Object> names = top(2);
        push(global(String.valueOf(names.get(0)), String.valueOf(names.get(1))));
      }
      case 'R', 0x81 -> {
        List<Object> both = top(2);
        if (!(both.get(0) instanceof Global global) || !(both.get(1) instanceof List)) {
          throw wrong("calls " + kind(both.get(0)) + " with " + kind(both.get(1)));
        }
        push(builder.call(global.name(), list(both.get(1))));
      }
      case 'Q' -> push(builder.persistent(pop()));
      // Attributes of what was made, such as a state dict's _metadata: none is of use here.
      case 'b' -> {
        pop();
        peek();
      }
      default -> throw wrong("operation 0x%02x, which no state dict needs".formatted(operation));
    }
  }

  private Global global(String module, String name) {
    String global = module + "." + name;
    if (!builder.knows(global)) {
      throw wrong(
          "names "
              + global
              + ", which is no part of a state dict; nothing was executed. Save only tensors and"
              + " plain values: torch.save(model.state_dict(), file)");
    }
    return new Global(global);
  }

  private void protocol(int version) {
    if (version > NEWEST_PROTOCOL) {
      throw wrong("protocol " + version + ", wanted at most " + NEWEST_PROTOCOL);
    }
  }

  private void mark() {
    outer.push(stack);
    stack = new ArrayList<>();
  }

  /** Everything after the last mark, taken off together with it. */
  private List<Object> sinceMark() {
    if (outer.isEmpty()) {
      throw wrong("an end without a beginning");
    }
    List<Object> values = stack;
    stack = outer.pop();
    return values;
  }

  private void push(Object value) {
    stack.add(value);
  }

  private Object pop() {
    return top(1).get(0);
  }

  private Object peek() {
    Object last = pop();
    push(last);
    return last;
  }

  /** The last values, taken off. */
  private List<Object> top(int count) {
    if (stack.size() < count) {
      throw wrong("wants " + count + " values, has " + stack.size());
    }
    List<Object> last = stack.subList(stack.size() - count, stack.size());
    List<Object> copy = new ArrayList<>(last);
    last.clear();
    return copy;
  }

  private void append(List<Object> values) {
    Object target = peek();
    if (!(target instanceof ArrayList)) {
      throw wrong("appends to " + kind(target));
    }
    list(target).addAll(values);
  }

  private Map<Object, Object> putAll(Map<Object, Object> map, List<Object> pairs) {
    if (pairs.size() % 2 != 0) {
      throw wrong("a key without a value");
    }
    for (int i = 0; i < pairs.size(); i += 2) {
      map.put(key(pairs.get(i)), pairs.get(i + 1));
    }
    return map;
  }

  /** Keys are compared by content: those of containers could go round in circles. */
  private Object key(Object key) {
    if (key instanceof String || key instanceof Long || key instanceof Boolean) {
      return key;
    }
    throw wrong("a key that is " + kind(key) + ", wanted a name or a number");
  }

  @SuppressWarnings("unchecked")
  private Map<Object, Object> map(Object value) {
    if (value instanceof LinkedHashMap) {
      return (Map<Object, Object>) value;
    }
    throw wrong("sets an item of " + kind(value));
  }

  @SuppressWarnings("unchecked")
  private static List<Object> list(Object value) {
    return (List<Object>) value;
  }

  private Object remembered(int index) {
    Object value = memo.get(index);
    if (value == null) {
      throw wrong("recalls value " + index + ", which was not kept");
    }
    return value;
  }

  /** A value's kind and not its content, which may be without end. */
  static String kind(Object value) {
    if (value instanceof Map) {
      return "a dict";
    }
    if (value instanceof List) {
      return "a list";
    }
    return value instanceof Global global
        ? global.name()
        : value == NONE ? "None" : "a " + value.getClass().getSimpleName();
  }

  private IllegalArgumentException wrong(String what) {
    return in.wrong(what);
  }
}
