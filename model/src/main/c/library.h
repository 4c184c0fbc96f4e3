/*
 * CUDA's libraries, opened at run time: no CUDA header and no CUDA library is needed to build this, and
 * CUDA 12 and 13 both serve, since the functions used have the same binary interface in both.
 */
#ifndef CARAVAN_LIBRARY_H
#define CARAVAN_LIBRARY_H

#include <jni.h>
#include <stddef.h>
#include <stdint.h>

typedef int Status; /* CUresult, nvrtcResult, cublasStatus_t: 0 is success */
typedef unsigned long long Address; /* CUdeviceptr */

typedef struct { /* CUlaunchAttribute */
  int id;
  char padding[4];
  union {
    char bytes[64];
    int number;
  } value;
} LaunchAttribute;

typedef struct { /* CUlaunchConfig */
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void *stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
} LaunchSettings;

/* The driver: libcuda. */
#define DRIVER_FUNCTIONS(F)                                                                                        \
  F(cuInit, (unsigned flags))                                                                                      \
  F(cuDriverGetVersion, (int *version))                                                                            \
  F(cuGetErrorName, (Status status, const char **name))                                                            \
  F(cuGetErrorString, (Status status, const char **text))                                                          \
  F(cuDeviceGetCount, (int *count))                                                                                \
  F(cuDeviceGet, (int *device, int ordinal))                                                                       \
  F(cuDeviceGetName, (char *name, int length, int device))                                                         \
  F(cuDeviceGetAttribute, (int *value, int attribute, int device))                                                 \
  F(cuDevicePrimaryCtxRetain, (void **context, int device))                                                        \
  F(cuDevicePrimaryCtxRelease_v2, (int device))                                                                    \
  F(cuCtxSetCurrent, (void *context))                                                                              \
  F(cuStreamCreate, (void **stream, unsigned flags))                                                               \
  F(cuStreamDestroy_v2, (void *stream))                                                                            \
  F(cuStreamSynchronize, (void *stream))                                                                           \
  F(cuEventCreate, (void **event, unsigned flags))                                                                 \
  F(cuEventDestroy_v2, (void *event))                                                                              \
  F(cuEventRecord, (void *event, void *stream))                                                                    \
  F(cuEventSynchronize, (void *event))                                                                             \
  F(cuEventElapsedTime, (float *milliseconds, void *start, void *end))                                             \
  F(cuMemGetInfo_v2, (size_t *free, size_t *total))                                                                \
  F(cuMemAlloc_v2, (Address *address, size_t bytes))                                                               \
  F(cuMemFree_v2, (Address address))                                                                               \
  F(cuMemHostAlloc, (void **address, size_t bytes, unsigned flags))                                                \
  F(cuMemFreeHost, (void *address))                                                                                \
  F(cuMemcpyHtoDAsync_v2, (Address to, const void *from, size_t bytes, void *stream))                              \
  F(cuMemcpyDtoHAsync_v2, (void *to, Address from, size_t bytes, void *stream))                                    \
  F(cuMemcpyDtoDAsync_v2, (Address to, Address from, size_t bytes, void *stream))                                  \
  F(cuMemsetD8Async, (Address to, unsigned char value, size_t bytes, void *stream))                                \
  F(cuModuleLoadData, (void **module, const void *image))                                                          \
  F(cuModuleUnload, (void *module))                                                                                \
  F(cuModuleGetFunction, (void **function, void *module, const char *name))                                        \
  F(cuFuncSetAttribute, (void *function, int attribute, int value))                                                \
  F(cuFuncGetAttribute, (int *value, int attribute, void *function))                                               \
  F(cuLaunchKernelEx, (const LaunchSettings *settings, void *function, void **arguments, void **extra))            \
  F(cuStreamBeginCapture_v2, (void *stream, int mode))                                                             \
  F(cuStreamEndCapture, (void *stream, void **graph))                                                              \
  F(cuGraphInstantiateWithFlags, (void **executable, void *graph, unsigned long long flags))                       \
  F(cuGraphDestroy, (void *graph))                                                                                 \
  F(cuGraphLaunch, (void *executable, void *stream))                                                               \
  F(cuGraphExecDestroy, (void *executable))

/* The compiler: libnvrtc. */
#define COMPILER_FUNCTIONS(F)                                                                                      \
  F(nvrtcVersion, (int *major, int *minor))                                                                        \
  F(nvrtcCreateProgram, (void **program, const char *source, const char *name, int headerCount,                    \
                         const char *const *headers, const char *const *headerNames))                              \
  F(nvrtcDestroyProgram, (void **program))                                                                         \
  F(nvrtcCompileProgram, (void *program, int optionCount, const char *const *options))                             \
  F(nvrtcGetProgramLogSize, (void *program, size_t *bytes))                                                        \
  F(nvrtcGetProgramLog, (void *program, char *log))                                                                \
  F(nvrtcGetCUBINSize, (void *program, size_t *bytes))                                                             \
  F(nvrtcGetCUBIN, (void *program, char *cubin))

typedef struct { uint64_t data[8]; } Algorithm; /* cublasLtMatmulAlgo_t */
typedef struct {                                /* cublasLtMatmulHeuristicResult_t */
  Algorithm algorithm;
  size_t workspaceBytes;
  Status state;
  float waves;
  int reserved[4];
} Heuristic;

/* Matrix products: libcublasLt. */
#define PRODUCT_FUNCTIONS(F)                                                                                       \
  F(cublasLtCreate, (void **handle))                                                                               \
  F(cublasLtDestroy, (void *handle))                                                                               \
  F(cublasLtMatmulDescCreate, (void **description, int computeType, int scaleType))                                \
  F(cublasLtMatmulDescDestroy, (void *description))                                                                \
  F(cublasLtMatmulDescSetAttribute, (void *description, int attribute, const void *value, size_t bytes))           \
  F(cublasLtMatrixLayoutCreate, (void **layout, int type, uint64_t rows, uint64_t cols, int64_t stride))           \
  F(cublasLtMatrixLayoutDestroy, (void *layout))                                                                   \
  F(cublasLtMatmulPreferenceCreate, (void **preference))                                                           \
  F(cublasLtMatmulPreferenceDestroy, (void *preference))                                                           \
  F(cublasLtMatmulPreferenceSetAttribute, (void *preference, int attribute, const void *value, size_t bytes))      \
  F(cublasLtMatmulAlgoGetHeuristic, (void *handle, void *description, void *a, void *b, void *c, void *d,          \
                                     void *preference, int wanted, Heuristic *found, int *foundCount))             \
  F(cublasLtMatmul, (void *handle, void *description, const void *alpha, const void *a, void *layoutA,             \
                     const void *b, void *layoutB, const void *beta, const void *c, void *layoutC, void *d,        \
                     void *layoutD, const Algorithm *algorithm, void *workspace, size_t workspaceBytes,            \
                     void *stream))

#define DECLARE(name, parameters) extern Status(*name) parameters;
DRIVER_FUNCTIONS(DECLARE)
COMPILER_FUNCTIONS(DECLARE)
PRODUCT_FUNCTIONS(DECLARE)
#undef DECLARE

#define WORKSPACE_BYTES (64u << 20)

/* One GPU in use: its primary context, one stream that everything runs on in order, and cuBLASLt. */
typedef struct {
  int device;
  void *context;
  void *stream;
  void *products;
  Address workspace; /* of WORKSPACE_BYTES; 0 until the first product */
} Gpu;

/* Throws CudaException(what, name of the status: its text) unless it is 0; says whether it is 0. */
int succeeded(JNIEnv *env, const char *what, Status status);
void throwText(JNIEnv *env, const char *format, ...);
/* The GPU behind a handle, its context made current on the calling thread; null with an exception. */
Gpu *enter(JNIEnv *env, jlong handle);

#define NATIVE(type, name) JNIEXPORT type JNICALL Java_caravan_model_engine_cuda_Driver_##name

#endif
