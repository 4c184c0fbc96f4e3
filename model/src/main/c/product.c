/*
 * Matrix products by cuBLASLt. The caller's matrices are row-major; cuBLASLt's are column-major, where the same
 * memory is the transpose: D = op(A) op(B) is computed as Dᵀ = op(B)ᵀ op(A)ᵀ, with A and B in each other's place.
 */
#include "library.h"

#include <stdlib.h>

enum { REAL_32F = 0, REAL_16BF = 14, COMPUTE_32F = 68, COMPUTE_32F_FAST_TF32 = 77 };
enum { DESCRIPTION_TRANSPOSE_A = 3, DESCRIPTION_TRANSPOSE_B = 4 };
enum { PREFERENCE_WORKSPACE = 1, PREFERENCE_ALIGNMENT_A = 5, ALIGNMENTS = 4 };

/* One shape of product: its description, layouts, and the algorithm that the heuristics chose. */
typedef struct {
  void *description;
  void *a;
  void *b;
  void *c;
  Algorithm algorithm;
  size_t workspaceBytes;
} Plan;

static void release(Plan *plan) {
  if (plan->c != NULL) {
    cublasLtMatrixLayoutDestroy(plan->c);
  }
  if (plan->b != NULL) {
    cublasLtMatrixLayoutDestroy(plan->b);
  }
  if (plan->a != NULL) {
    cublasLtMatrixLayoutDestroy(plan->a);
  }
  if (plan->description != NULL) {
    cublasLtMatmulDescDestroy(plan->description);
  }
  free(plan);
}

/* The GPU with cuBLASLt and its workspace made, at the first product. */
static int ready(JNIEnv *env, Gpu *gpu) {
  if (gpu->products == NULL && !succeeded(env, "cublasLtCreate", cublasLtCreate(&gpu->products))) {
    return 0;
  }
  return gpu->workspace != 0 || succeeded(env, "cuMemAlloc of cuBLASLt's workspace of 64 MiB",
                                          cuMemAlloc_v2(&gpu->workspace, WORKSPACE_BYTES));
}

static int choose(JNIEnv *env, Gpu *gpu, Plan *plan, const uint32_t *alignments) {
  void *preference = NULL;
  if (!succeeded(env, "cublasLtMatmulPreferenceCreate", cublasLtMatmulPreferenceCreate(&preference))) {
    return 0;
  }
  uint64_t bytes = WORKSPACE_BYTES;
  Status status = cublasLtMatmulPreferenceSetAttribute(preference, PREFERENCE_WORKSPACE, &bytes, sizeof bytes);
  for (int i = 0; i < ALIGNMENTS && status == 0; i++) {
    status = cublasLtMatmulPreferenceSetAttribute(preference, PREFERENCE_ALIGNMENT_A + i, &alignments[i],
                                                  sizeof alignments[i]);
  }
  int found = 0;
  Heuristic best;
  if (succeeded(env, "cublasLtMatmulPreferenceSetAttribute", status)) {
    status = cublasLtMatmulAlgoGetHeuristic(gpu->products, plan->description, plan->a, plan->b, plan->c, plan->c,
                                            preference, 1, &best, &found);
    if (status != 0 || found == 0) {
      throwText(env, "cublasLtMatmulAlgoGetHeuristic: got status %d and %d algorithms", status, found);
      found = 0;
    } else {
      plan->algorithm = best.algorithm;
      plan->workspaceBytes = best.workspaceBytes;
    }
  }
  cublasLtMatmulPreferenceDestroy(preference);
  return found;
}

/*
 * Row-major D[m, n] = op(A) op(B) + beta C, sums over k; strides in elements; C as D.
 * inputs16/output16: bf16 instead of fp32. alignments: largest powers of two that divide the addresses, of
 * cuBLASLt's A, B, C, D.
 */
NATIVE(jlong, plan)
(JNIEnv *env, jclass type, jlong handle, jboolean transA, jboolean transB, jint m, jint n, jint k, jint strideA,
 jint strideB, jint strideD, jboolean inputs16, jboolean output16, jboolean tf32, jint alignA, jint alignB,
 jint alignD) {
  Gpu *gpu = enter(env, handle);
  if (gpu == NULL || !ready(env, gpu)) {
    return 0;
  }
  Plan *plan = calloc(1, sizeof(Plan));
  int in = inputs16 ? REAL_16BF : REAL_32F;
  int32_t swappedA = transB;
  int32_t swappedB = transA;
  uint32_t alignments[ALIGNMENTS] = {(uint32_t)alignB, (uint32_t)alignA, (uint32_t)alignD, (uint32_t)alignD};
  int made =
      succeeded(env, "cublasLtMatmulDescCreate",
                cublasLtMatmulDescCreate(&plan->description, tf32 ? COMPUTE_32F_FAST_TF32 : COMPUTE_32F, REAL_32F)) &&
      succeeded(env, "cublasLtMatmulDescSetAttribute",
                cublasLtMatmulDescSetAttribute(plan->description, DESCRIPTION_TRANSPOSE_A, &swappedA,
                                               sizeof swappedA)) &&
      succeeded(env, "cublasLtMatmulDescSetAttribute",
                cublasLtMatmulDescSetAttribute(plan->description, DESCRIPTION_TRANSPOSE_B, &swappedB,
                                               sizeof swappedB)) &&
      succeeded(env, "cublasLtMatrixLayoutCreate",
                cublasLtMatrixLayoutCreate(&plan->a, in, (uint64_t)(transB ? k : n), (uint64_t)(transB ? n : k),
                                           strideB)) &&
      succeeded(env, "cublasLtMatrixLayoutCreate",
                cublasLtMatrixLayoutCreate(&plan->b, in, (uint64_t)(transA ? m : k), (uint64_t)(transA ? k : m),
                                           strideA)) &&
      succeeded(env, "cublasLtMatrixLayoutCreate",
                cublasLtMatrixLayoutCreate(&plan->c, output16 ? REAL_16BF : REAL_32F, (uint64_t)n, (uint64_t)m,
                                           strideD)) &&
      choose(env, gpu, plan, alignments);
  if (!made) {
    release(plan);
    return 0;
  }
  return (jlong)(intptr_t)plan;
}

NATIVE(void, freePlan)(JNIEnv *env, jclass type, jlong plan) { release((Plan *)(intptr_t)plan); }

/* D = alpha op(A) op(B) + beta C. Returns the status: Java names the product. */
NATIVE(jint, multiply)
(JNIEnv *env, jclass type, jlong handle, jlong planHandle, jfloat alpha, jlong a, jlong b, jfloat beta, jlong c,
 jlong d) {
  Gpu *gpu = enter(env, handle);
  if (gpu == NULL) {
    return 0;
  }
  Plan *plan = (Plan *)(intptr_t)planHandle;
  return cublasLtMatmul(gpu->products, plan->description, &alpha, (const void *)(intptr_t)b, plan->a,
                        (const void *)(intptr_t)a, plan->b, &beta, (const void *)(intptr_t)c, plan->c,
                        (void *)(intptr_t)d, plan->c, &plan->algorithm, (void *)(intptr_t)gpu->workspace,
                        plan->workspaceBytes, gpu->stream);
}
