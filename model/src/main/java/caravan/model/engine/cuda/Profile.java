package caravan.model.engine.cuda;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Time of each kernel and matrix product on the GPU, between two events around every launch. */
final class Profile {
  private final Device device;
  private final List<String> names = new ArrayList<>();
  private final List<Long> starts = new ArrayList<>();
  private final List<Long> ends = new ArrayList<>();
  private int count;

  Profile(Device device) {
    this.device = device;
  }

  void before(String what) {
    if (count == starts.size()) {
      starts.add(device.event());
      ends.add(device.event());
    }
    names.add(what);
    device.record(starts.get(count));
  }

  void after() {
    device.record(ends.get(count));
    count++;
  }

  /** Milliseconds and calls by name, the longest first; waits for the GPU. */
  String table() {
    device.synchronize();
    Map<String, double[]> sums = new LinkedHashMap<>();
    double total = 0;
    for (int i = 0; i < count; i++) {
      double milliseconds = device.milliseconds(starts.get(i), ends.get(i));
      double[] sum = sums.computeIfAbsent(names.get(i), name -> new double[2]);
      sum[0] += milliseconds;
      sum[1]++;
      total += milliseconds;
    }
    StringBuilder table = new StringBuilder();
    double all = total;
    sums.entrySet().stream()
        .sorted(Comparator.comparingDouble(entry -> -entry.getValue()[0]))
        .forEach(
            entry ->
                table.append(
                    String.format(
                        Locale.ROOT,
                        "%-44s %6.0f × %8.4f ms = %9.3f ms %5.1f %%%n",
                        entry.getKey(),
                        entry.getValue()[1],
                        entry.getValue()[0] / entry.getValue()[1],
                        entry.getValue()[0],
                        100 * entry.getValue()[0] / all)));
    return table.append(String.format(Locale.ROOT, "%-44s %31.3f ms%n", "sum", total)).toString();
  }
}
