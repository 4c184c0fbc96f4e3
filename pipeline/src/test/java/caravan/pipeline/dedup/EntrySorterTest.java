package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class EntrySorterTest {
  private final Random random = new Random(5);

  private Entry random(long first) {
    byte[] payload = new byte[random.nextInt(20)];
    random.nextBytes(payload);
    return new Entry(first, random.nextInt(4), payload);
  }

  private static List<Entry> sorted(List<Entry> entries, Route route, int maxBytes) {
    Blocks blocks = new Blocks(entries.iterator(), Route.HASH, 1);
    EntrySorter sorter = new EntrySorter(route, maxBytes);
    blocks.forEachRemaining(block -> sorter.add(block._2()));
    List<Entry> sorted = new ArrayList<>();
    sorter.sorted().forEachRemaining(sorted::add);
    return sorted;
  }

  private static void assertSorted(List<Entry> entries, Route route) {
    List<String> expected =
        entries.stream().sorted(Entry.ORDER).map(EntrySorterTest::told).toList();
    for (int maxBytes : new int[] {1 << 30, 1 << 17}) {
      assertThat(sorted(entries, route, maxBytes).stream().map(EntrySorterTest::told).toList())
          .isEqualTo(expected);
    }
  }

  private static String told(Entry e) {
    return e.first() + " " + e.second() + " " + java.util.Arrays.toString(e.payload());
  }

  @Test
  void entriesAreSortedByBothNumbersThenByUnsignedBytesInMemoryAndFromDisk() {
    assertSorted(
        Stream.generate(() -> random(random.nextLong())).limit(20_000).toList(), Route.HASH);
  }

  @Test
  void oneNumberThatAllShareIsSortedByTheRest() {
    assertSorted(Stream.generate(() -> random(-7)).limit(20_000).toList(), Route.HASH);
  }

  @Test
  void smallNumbersAndNeighboursAreTold() {
    assertSorted(
        Stream.generate(() -> random(random.nextInt(3000) - 1500)).limit(20_000).toList(),
        Route.HASH);
  }

  @Test
  void documentsAreSortedByTheirPlace() {
    assertSorted(
        Stream.generate(() -> random(Route.ref(77, random.nextInt(50_000)))).limit(20_000).toList(),
        Route.DOCUMENT);
  }

  @Test
  void nothingIsSortedToNothing() {
    Iterator<Entry> sorted = new EntrySorter(Route.HASH, 1 << 20).sorted();
    assertThat(sorted.hasNext()).isFalse();
  }
}
