// Every kernel, run on the CPU by the shim, against plain double arithmetic. Prints a line per
// comparison and "all kernels agree", or ends with status 1.
//
//   g++ -O2 -std=c++17 -DREAL_BF16=1 -I src/main/cuda -include src/test/cpp/shim.h
//       src/test/cpp/kernels.cpp src/test/cpp/kernels_test.cpp -o kernels_test
#include "attention_test.h"
#include "decode_test.h"
#include "elementwise_test.h"

int main() {
  for (Shape s : {Shape{2, 37, 4, 2, 8, false}, Shape{1, 70, 3, 1, 48, true},
                  Shape{1, 33, 2, 2, 6, true}, Shape{1, 20, 2, 1, 256, false}}) {
    attention_plain_equals_double(s);
  }
  attention_of_suffix("attention_plain", {1, 90, 2, 1, 24, false}, 7, {2, 1, 2}, 128, 0);
#if REAL_BF16
  attention_of_suffix("attention_64", {1, 300, 2, 1, 64, false}, 150, {2, 1, 2}, 128, 55296);
  attention_of_suffix("attention_hopper_64", {1, 300, 2, 1, 64, false}, 150, {2, 1, 2}, 256, 49152);
  attention_of_suffix("attention_hopper_128", {1, 200, 2, 1, 72, false}, 3, {2, 1, 1}, 256, 163840);
  for (Shape s : {Shape{1, 128, 1, 1, 64, false}, Shape{2, 300, 4, 2, 64, true},
                  Shape{1, 1, 1, 1, 8, false}, Shape{1, 97, 2, 1, 48, true},
                  Shape{1, 200, 2, 2, 80, false}, Shape{2, 70, 3, 1, 96, true},
                  Shape{1, 128, 1, 1, 128, false}, Shape{1, 290, 4, 2, 128, true},
                  Shape{1, 300, 1, 1, 64, false, 4}, Shape{1, 300, 1, 1, 128, true, 4}}) {
    attention_equals_double(s);
    attention_hopper_equals_double(s);
  }
#endif
  // Widths that are and are not multiples of 8, narrower and wider than a block.
  for (int d : {8, 30, 576, 8200}) {
    norms_equal_double(5, d);
    rows_move(d);
  }
  for (int f : {24, 50, 2056}) swiglu_equals_double(3, f);
  for (int width : {8, 12, 64}) rope_equals_double(width);
  for (int vocabulary : {50, 1000, 9000}) cross_entropy_equals_double(vocabulary);
  for (int vocabulary : {50, 1000, 9000}) penalized_cross_entropy_equals_double(vocabulary, 0.1f, 0.01f);
  penalized_cross_entropy_equals_double(70, 0, 0.02f);
  for (int d : {30, 576}) drop_keeps_means(d);
  flat_kernels_equal_double();
  adamw_equals_double();
  other_updates_equal_double();
  decode_equals_double();
  if (failures() > 0) {
    printf("%d comparisons are wrong\n", failures());
    return 1;
  }
  printf("all kernels agree\n");
  return 0;
}
