/* A GPU: memory, kernels, events. */
#include "library.h"

#include <stdlib.h>

enum { STREAM_NON_BLOCKING = 1, OUT_OF_MEMORY = 2, MAX_DYNAMIC_SHARED = 8, DEFAULT_SHARED_BYTES = 48 << 10 };
enum { MOST_ARGUMENTS = 32, PROGRAMMATIC_STREAM_SERIALIZATION = 6, CAPTURES_OF_THIS_THREAD = 1 };

Gpu *enter(JNIEnv *env, jlong handle) {
  Gpu *gpu = (Gpu *)(intptr_t)handle;
  return succeeded(env, "cuCtxSetCurrent", cuCtxSetCurrent(gpu->context)) ? gpu : NULL;
}

NATIVE(jint, deviceCount)(JNIEnv *env, jclass type) {
  int count = 0;
  return succeeded(env, "cuInit", cuInit(0)) && succeeded(env, "cuDeviceGetCount", cuDeviceGetCount(&count)) ? count
                                                                                                              : 0;
}

NATIVE(jint, driverVersion)(JNIEnv *env, jclass type) {
  int version = 0;
  succeeded(env, "cuDriverGetVersion", cuDriverGetVersion(&version));
  return version;
}

NATIVE(jlong, open)(JNIEnv *env, jclass type, jint ordinal) {
  Gpu *gpu = calloc(1, sizeof(Gpu));
  if (succeeded(env, "cuDeviceGet", cuDeviceGet(&gpu->device, ordinal)) &&
      succeeded(env, "cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain(&gpu->context, gpu->device))) {
    if (succeeded(env, "cuCtxSetCurrent", cuCtxSetCurrent(gpu->context)) &&
        succeeded(env, "cuStreamCreate", cuStreamCreate(&gpu->stream, STREAM_NON_BLOCKING))) {
      return (jlong)(intptr_t)gpu;
    }
    cuDevicePrimaryCtxRelease_v2(gpu->device);
  }
  free(gpu);
  return 0;
}

NATIVE(void, close)(JNIEnv *env, jclass type, jlong handle) {
  Gpu *gpu = enter(env, handle);
  if (gpu == NULL) {
    return;
  }
  if (gpu->products != NULL) {
    cublasLtDestroy(gpu->products);
  }
  if (gpu->workspace != 0) {
    cuMemFree_v2(gpu->workspace);
  }
  cuStreamDestroy_v2(gpu->stream);
  cuDevicePrimaryCtxRelease_v2(gpu->device);
  free(gpu);
}

NATIVE(jstring, name)(JNIEnv *env, jclass type, jlong handle) {
  char name[256] = "";
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    succeeded(env, "cuDeviceGetName", cuDeviceGetName(name, sizeof name, gpu->device));
  }
  return (*env)->NewStringUTF(env, name);
}

NATIVE(jint, attribute)(JNIEnv *env, jclass type, jlong handle, jint attribute) {
  int value = 0;
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    succeeded(env, "cuDeviceGetAttribute", cuDeviceGetAttribute(&value, attribute, gpu->device));
  }
  return value;
}

NATIVE(jlong, memory)(JNIEnv *env, jclass type, jlong handle, jboolean wantsFree) {
  size_t freeBytes = 0;
  size_t total = 0;
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuMemGetInfo", cuMemGetInfo_v2(&freeBytes, &total));
  }
  return (jlong)(wantsFree ? freeBytes : total);
}

/* 0 when the GPU has not that much left: the caller knows what holds the rest. */
NATIVE(jlong, allocate)(JNIEnv *env, jclass type, jlong handle, jlong bytes) {
  Address address = 0;
  if (enter(env, handle) != NULL) {
    Status status = cuMemAlloc_v2(&address, (size_t)bytes);
    if (status == OUT_OF_MEMORY) {
      return 0;
    }
    succeeded(env, "cuMemAlloc", status);
  }
  return (jlong)address;
}

NATIVE(void, free)(JNIEnv *env, jclass type, jlong handle, jlong address) {
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuMemFree", cuMemFree_v2((Address)address));
  }
}

NATIVE(jobject, allocateHost)(JNIEnv *env, jclass type, jlong handle, jlong bytes) {
  void *address = NULL;
  if (enter(env, handle) == NULL ||
      !succeeded(env, "cuMemHostAlloc", cuMemHostAlloc(&address, (size_t)bytes, 0))) {
    return NULL;
  }
  return (*env)->NewDirectByteBuffer(env, address, bytes);
}

NATIVE(void, freeHost)(JNIEnv *env, jclass type, jlong handle, jobject buffer) {
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuMemFreeHost", cuMemFreeHost((*env)->GetDirectBufferAddress(env, buffer)));
  }
}

NATIVE(jlong, addressOf)(JNIEnv *env, jclass type, jobject buffer) {
  return (jlong)(intptr_t)(*env)->GetDirectBufferAddress(env, buffer);
}

NATIVE(void, upload)(JNIEnv *env, jclass type, jlong handle, jlong to, jlong from, jlong bytes) {
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    const void *source = (const void *)(intptr_t)from;
    succeeded(env, "cuMemcpyHtoDAsync", cuMemcpyHtoDAsync_v2((Address)to, source, (size_t)bytes, gpu->stream));
  }
}

NATIVE(void, download)(JNIEnv *env, jclass type, jlong handle, jlong to, jlong from, jlong bytes) {
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    void *target = (void *)(intptr_t)to;
    succeeded(env, "cuMemcpyDtoHAsync", cuMemcpyDtoHAsync_v2(target, (Address)from, (size_t)bytes, gpu->stream));
  }
}

NATIVE(void, copy)(JNIEnv *env, jclass type, jlong handle, jlong to, jlong from, jlong bytes) {
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    succeeded(env, "cuMemcpyDtoDAsync",
              cuMemcpyDtoDAsync_v2((Address)to, (Address)from, (size_t)bytes, gpu->stream));
  }
}

NATIVE(void, zero)(JNIEnv *env, jclass type, jlong handle, jlong address, jlong bytes) {
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    succeeded(env, "cuMemsetD8Async", cuMemsetD8Async((Address)address, 0, (size_t)bytes, gpu->stream));
  }
}

NATIVE(void, synchronize)(JNIEnv *env, jclass type, jlong handle) {
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    succeeded(env, "cuStreamSynchronize", cuStreamSynchronize(gpu->stream));
  }
}

NATIVE(jlong, module)(JNIEnv *env, jclass type, jlong handle, jbyteArray image) {
  void *module = NULL;
  if (enter(env, handle) != NULL) {
    jbyte *bytes = (*env)->GetByteArrayElements(env, image, NULL);
    succeeded(env, "cuModuleLoadData", cuModuleLoadData(&module, bytes));
    (*env)->ReleaseByteArrayElements(env, image, bytes, JNI_ABORT);
  }
  return (jlong)(intptr_t)module;
}

NATIVE(void, unload)(JNIEnv *env, jclass type, jlong handle, jlong module) {
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuModuleUnload", cuModuleUnload((void *)(intptr_t)module));
  }
}

NATIVE(jlong, function)(JNIEnv *env, jclass type, jlong handle, jlong module, jstring name) {
  void *function = NULL;
  if (enter(env, handle) != NULL) {
    const char *text = (*env)->GetStringUTFChars(env, name, NULL);
    Status status = cuModuleGetFunction(&function, (void *)(intptr_t)module, text);
    if (status != 0) {
      throwText(env, "cuModuleGetFunction: got status %d, wanted a kernel named %s in the module", status, text);
    }
    (*env)->ReleaseStringUTFChars(env, name, text);
  }
  return (jlong)(intptr_t)function;
}

NATIVE(jint, functionAttribute)(JNIEnv *env, jclass type, jlong handle, jlong function, jint attribute) {
  int value = 0;
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuFuncGetAttribute", cuFuncGetAttribute(&value, attribute, (void *)(intptr_t)function));
  }
  return value;
}

/* More shared memory than the default must be asked for, once per kernel. */
NATIVE(void, allowShared)(JNIEnv *env, jclass type, jlong handle, jlong function, jint bytes) {
  if (bytes > DEFAULT_SHARED_BYTES && enter(env, handle) != NULL) {
    succeeded(env, "cuFuncSetAttribute",
              cuFuncSetAttribute((void *)(intptr_t)function, MAX_DYNAMIC_SHARED, bytes));
  }
}

/*
 * slots: one 8-byte slot per argument, its value in the low bytes. early: the kernel may begin while the one before it
 * runs, and waits for its results by itself. Returns the status: Java names the kernel.
 */
NATIVE(jint, launch)
(JNIEnv *env, jclass type, jlong handle, jlong function, jint gridX, jint gridY, jint gridZ, jint threads,
 jint sharedBytes, jlong slots, jint count, jboolean early) {
  void *arguments[MOST_ARGUMENTS];
  Gpu *gpu = enter(env, handle);
  if (gpu == NULL) {
    return 0;
  }
  for (int i = 0; i < count; i++) {
    arguments[i] = (char *)(intptr_t)slots + 8 * i;
  }
  LaunchAttribute attribute = {.id = PROGRAMMATIC_STREAM_SERIALIZATION, .value.number = 1};
  LaunchSettings settings = {(unsigned)gridX, (unsigned)gridY, (unsigned)gridZ, (unsigned)threads, 1,
                             1,               (unsigned)sharedBytes, gpu->stream, &attribute, early ? 1 : 0};
  return cuLaunchKernelEx(&settings, (void *)(intptr_t)function, arguments, NULL);
}

/* Until endCapture the stream's work is not done but noted. */
NATIVE(void, beginCapture)(JNIEnv *env, jclass type, jlong handle) {
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    succeeded(env, "cuStreamBeginCapture", cuStreamBeginCapture_v2(gpu->stream, CAPTURES_OF_THIS_THREAD));
  }
}

/* What was noted as a graph that can be launched; 0 when nothing is wanted of it. */
NATIVE(jlong, endCapture)(JNIEnv *env, jclass type, jlong handle, jboolean wanted) {
  void *graph = NULL;
  void *executable = NULL;
  Gpu *gpu = enter(env, handle);
  if (gpu == NULL) {
    return 0;
  }
  Status status = cuStreamEndCapture(gpu->stream, &graph);
  if (wanted && succeeded(env, "cuStreamEndCapture", status)) {
    succeeded(env, "cuGraphInstantiate", cuGraphInstantiateWithFlags(&executable, graph, 0));
  }
  if (graph != NULL) {
    cuGraphDestroy(graph);
  }
  return (jlong)(intptr_t)executable;
}

NATIVE(void, launchGraph)(JNIEnv *env, jclass type, jlong handle, jlong graph) {
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    succeeded(env, "cuGraphLaunch", cuGraphLaunch((void *)(intptr_t)graph, gpu->stream));
  }
}

NATIVE(void, freeGraph)(JNIEnv *env, jclass type, jlong handle, jlong graph) {
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuGraphExecDestroy", cuGraphExecDestroy((void *)(intptr_t)graph));
  }
}

NATIVE(jstring, statusText)(JNIEnv *env, jclass type, jint status) {
  const char *text = NULL;
  cuGetErrorString(status, &text);
  return (*env)->NewStringUTF(env, text == NULL ? "no text" : text);
}

NATIVE(jlong, event)(JNIEnv *env, jclass type, jlong handle) {
  void *event = NULL;
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuEventCreate", cuEventCreate(&event, 0));
  }
  return (jlong)(intptr_t)event;
}

NATIVE(void, freeEvent)(JNIEnv *env, jclass type, jlong handle, jlong event) {
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuEventDestroy", cuEventDestroy_v2((void *)(intptr_t)event));
  }
}

NATIVE(void, record)(JNIEnv *env, jclass type, jlong handle, jlong event) {
  Gpu *gpu = enter(env, handle);
  if (gpu != NULL) {
    succeeded(env, "cuEventRecord", cuEventRecord((void *)(intptr_t)event, gpu->stream));
  }
}

NATIVE(void, await)(JNIEnv *env, jclass type, jlong handle, jlong event) {
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuEventSynchronize", cuEventSynchronize((void *)(intptr_t)event));
  }
}

NATIVE(jfloat, milliseconds)(JNIEnv *env, jclass type, jlong handle, jlong start, jlong end) {
  float milliseconds = 0;
  if (enter(env, handle) != NULL) {
    succeeded(env, "cuEventElapsedTime",
              cuEventElapsedTime(&milliseconds, (void *)(intptr_t)start, (void *)(intptr_t)end));
  }
  return milliseconds;
}
