// A stand-in for libcuda, libnvrtc and libcublasLt on a machine without a GPU: memory is the host's, kernels run on the
// CPU (shim.h), products are plain loops. Every call that matters to lifetimes is counted, and the n-th allocation can be
// made to fail. Built as one library under CUDA's three names, beside libshim_bf16.so and libshim_float.so.
#include <dlfcn.h>
#include <jni.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

typedef int (*ShimLaunch)(const char*, const unsigned[3], unsigned, unsigned, void**);
typedef const char* (*ShimError)();

constexpr int OUT_OF_MEMORY = 2, INVALID_VALUE = 1, NOT_FOUND = 500, LAUNCH_FAILED = 719;
constexpr size_t CAPACITY = size_t(4) << 30;

struct Function {
  ShimLaunch launch;
  ShimError error;
  std::string name;
  size_t arity;
};

// A launch with its arguments as they are now.
struct Launch {
  Function* function;
  unsigned grid[3], threads, shared;
  std::vector<uint64_t> arguments;
};

struct Graph { std::vector<Launch> launches; };

std::map<uint64_t, size_t> memory;
std::set<const void*> objects;
size_t used, peak;
long allocations;
long failing = -1;
std::string failing_kernel;
std::string last_error = "no error";
int counted_launches, counted_graphs, contexts, capability = 90;
Graph* capturing;  // null: what the stream is given is done at once

std::string folder() {
  Dl_info info;
  dladdr((const void*)&folder, &info);
  std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/'));
}

template <typename T>
int made(void** out, T* object) {
  objects.insert(object);
  *out = object;
  return 0;
}

template <typename T>
int gone(void* object) {
  if (objects.erase(object) == 0) return INVALID_VALUE;
  delete (T*)object;
  return 0;
}

float bf16_to_float(uint16_t bits) {
  uint32_t word = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &word, 4);
  return value;
}

uint16_t float_to_bf16(float value) {
  uint32_t word;
  memcpy(&word, &value, 4);
  return (uint16_t)((word + 0x7fff + ((word >> 16) & 1)) >> 16);
}

float to_tf32(float value) {
  uint32_t word;
  memcpy(&word, &value, 4);
  word = (word + 0xfff + ((word >> 13) & 1)) & 0xffffe000u;
  memcpy(&value, &word, 4);
  return value;
}

struct Stream {};
struct Event {};
struct Products {};
struct Preference {};
struct Module { void* library; };
struct Program { std::string cubin, source; };
struct Description { int compute; int32_t trans_a = 0, trans_b = 0; };
struct Layout { int type; uint64_t rows, cols; int64_t stride; };

float element(const Layout& layout, const void* data, uint64_t row, uint64_t col, bool tf32) {
  uint64_t at = row + col * layout.stride;
  if (layout.type == 14) return bf16_to_float(((const uint16_t*)data)[at]);
  float value = ((const float*)data)[at];
  return tf32 ? to_tf32(value) : value;
}

}  // namespace

extern "C" {

int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
int cuGetErrorName(int, const char** name) { return *name = "STAND_IN", 0; }
int cuGetErrorString(int, const char** text) { return *text = last_error.c_str(), 0; }
int cuDeviceGetCount(int* count) { return *count = 1, 0; }
int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, 0; }
int cuDeviceGetName(char* name, int length, int) { return strncpy(name, "stand-in", length), 0; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 16 ? 2 : attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10 : 0;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &contexts, contexts++, 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return contexts-- > 0 ? 0 : INVALID_VALUE; }
int cuCtxSetCurrent(void*) { return 0; }
int cuStreamCreate(void** stream, unsigned) { return made(stream, new Stream); }
int cuStreamDestroy_v2(void* stream) { return gone<Stream>(stream); }
int cuStreamSynchronize(void*) { return capturing == nullptr ? 0 : INVALID_VALUE; }
int cuEventCreate(void** event, unsigned) { return made(event, new Event); }
int cuEventDestroy_v2(void* event) { return gone<Event>(event); }
int cuEventRecord(void* event, void*) { return objects.count(event) ? 0 : INVALID_VALUE; }
int cuEventSynchronize(void* event) { return objects.count(event) ? 0 : INVALID_VALUE; }
int cuEventElapsedTime(float* milliseconds, void*, void*) { return *milliseconds = 1, 0; }
int cuMemGetInfo_v2(size_t* free, size_t* total) { return *free = CAPACITY - used, *total = CAPACITY, 0; }

int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  if (++allocations == failing || used + bytes > CAPACITY) return OUT_OF_MEMORY;
  void* block = nullptr;
  if (posix_memalign(&block, 256, bytes) != 0) return OUT_OF_MEMORY;
  memset(block, 0xff, bytes);  // NaN: what is read before it is written shows
  *address = (uint64_t)block;
  memory[*address] = bytes;
  used += bytes;
  peak = used > peak ? used : peak;
  return 0;
}

int cuMemFree_v2(uint64_t address) {
  auto found = memory.find(address);
  if (found == memory.end()) return INVALID_VALUE;
  used -= found->second;
  memory.erase(found);
  free((void*)address);
  return 0;
}

int cuMemHostAlloc(void** address, size_t bytes, unsigned) { return made(address, new char[bytes]); }
int cuMemFreeHost(void* address) {
  if (objects.erase(address) == 0) return INVALID_VALUE;
  delete[] (char*)address;
  return 0;
}
// Copies and clears within one allocation only, and none in a graph: anything else is a mistake of the host's side.
static bool inside(uint64_t address, size_t bytes) {
  auto after = memory.upper_bound(address);
  if (after == memory.begin() || capturing != nullptr) return false;
  auto block = std::prev(after);
  return address + bytes <= block->first + block->second;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void*) {
  return inside(to, bytes) ? (memcpy((void*)to, from, bytes), 0) : INVALID_VALUE;
}
int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void*) {
  return inside(from, bytes) ? (memcpy(to, (void*)from, bytes), 0) : INVALID_VALUE;
}
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void*) {
  bool right = inside(to, bytes) && inside(from, bytes);
  return right ? (memmove((void*)to, (void*)from, bytes), 0) : INVALID_VALUE;
}
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void*) {
  return inside(to, bytes) ? (memset((void*)to, value, bytes), 0) : INVALID_VALUE;
}

int cuModuleLoadData(void** module, const void* image) {
  std::string path = folder() + "/libshim_" + (const char*)image + ".so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return last_error = dlerror(), NOT_FOUND;
  return made(module, new Module{library});
}
int cuModuleUnload(void* module) { return gone<Module>(module); }
int cuModuleGetFunction(void** function, void* module, const char* name) {
  static std::map<std::pair<void*, std::string>, Function> functions;
  void* library = ((Module*)module)->library;
  Function& found = functions[{library, name}];
  auto arity = (size_t(*)(const char*))dlsym(library, "caravan_arity");
  found = {(ShimLaunch)dlsym(library, "caravan_launch"), (ShimError)dlsym(library, "caravan_error"), name, arity(name)};
  *function = &found;
  return 0;
}
int cuFuncSetAttribute(void*, int, int) { return 0; }
int cuFuncGetAttribute(int* value, int, void*) { return *value = 0, 0; }
static int run(Launch& launch) {
  Function* kernel = launch.function;
  counted_launches++;
  if (kernel->name == failing_kernel) return last_error = "told to fail", LAUNCH_FAILED;
  std::vector<void*> arguments;
  for (uint64_t& argument : launch.arguments) arguments.push_back(&argument);
  if (kernel->launch(kernel->name.c_str(), launch.grid, launch.threads, launch.shared, arguments.data()) == 1) return 0;
  last_error = kernel->error();
  return LAUNCH_FAILED;
}
struct Settings {
  unsigned grid[3], block[3], shared;
  void *stream, *attributes;
  unsigned attribute_count;
};
int cuLaunchKernelEx(const Settings* s, void* function, void** arguments, void**) {
  Function* kernel = (Function*)function;
  Launch launch = {kernel, {s->grid[0], s->grid[1], s->grid[2]}, s->block[0], s->shared, {}};
  for (size_t i = 0; i < kernel->arity; i++) launch.arguments.push_back(*(const uint64_t*)arguments[i]);
  if (capturing == nullptr) return run(launch);
  capturing->launches.push_back(launch);
  return 0;
}
int cuStreamBeginCapture_v2(void*, int mode) {
  if (capturing != nullptr || mode != 1) return INVALID_VALUE;
  capturing = new Graph;
  return 0;
}
int cuStreamEndCapture(void*, void** graph) {
  if (capturing == nullptr) return INVALID_VALUE;
  Graph* captured = capturing;
  capturing = nullptr;
  return made(graph, captured);
}
int cuGraphDestroy(void* graph) { return gone<Graph>(graph); }
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  return made(executable, new Graph(*(Graph*)graph));
}
int cuGraphLaunch(void* executable, void*) {
  counted_graphs++;
  for (Launch& launch : ((Graph*)executable)->launches) {
    if (int status = run(launch)) return status;
  }
  return 0;
}
int cuGraphExecDestroy(void* executable) { return gone<Graph>(executable); }

int nvrtcVersion(int* major, int* minor) { return *major = 13, *minor = 0, 0; }
int nvrtcCreateProgram(void** program, const char* source, const char*, int, const char* const*, const char* const*) {
  return made(program, new Program{"", source});
}
int nvrtcDestroyProgram(void** program) { return gone<Program>(*program); }
int nvrtcCompileProgram(void* program, int count, const char* const* options) {
  Program* p = (Program*)program;
  p->cubin = "float";
  for (int i = 0; i < count; i++) {
    if (strcmp(options[i], "-DREAL_BF16=1") == 0) p->cubin = "bf16";
  }
  return 0;
}
int nvrtcGetProgramLogSize(void*, size_t* bytes) { return *bytes = 1, 0; }
int nvrtcGetProgramLog(void*, char* log) { return *log = 0, 0; }
int nvrtcGetCUBINSize(void* program, size_t* bytes) { return *bytes = ((Program*)program)->cubin.size() + 1, 0; }
int nvrtcGetCUBIN(void* program, char* cubin) { return strcpy(cubin, ((Program*)program)->cubin.c_str()), 0; }

int cublasLtCreate(void** handle) { return made(handle, new Products); }
int cublasLtDestroy(void* handle) { return gone<Products>(handle); }
int cublasLtMatmulDescCreate(void** description, int compute, int) {
  return made(description, new Description{compute});
}
int cublasLtMatmulDescDestroy(void* description) { return gone<Description>(description); }
int cublasLtMatmulDescSetAttribute(void* description, int attribute, const void* value, size_t) {
  Description* d = (Description*)description;
  memcpy(attribute == 3 ? &d->trans_a : &d->trans_b, value, 4);
  return 0;
}
int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t cols, int64_t stride) {
  if (stride < (int64_t)rows) return INVALID_VALUE;
  return made(layout, new Layout{type, rows, cols, stride});
}
int cublasLtMatrixLayoutDestroy(void* layout) { return gone<Layout>(layout); }
int cublasLtMatmulPreferenceCreate(void** preference) { return made(preference, new Preference); }
int cublasLtMatmulPreferenceDestroy(void* preference) { return gone<Preference>(preference); }
int cublasLtMatmulPreferenceSetAttribute(void*, int, const void*, size_t) { return 0; }
int cublasLtMatmulAlgoGetHeuristic(void*, void* description, void* a, void* b, void* c, void*, void*, int, void* found,
                                   int* count) {
  Description* d = (Description*)description;
  Layout *la = (Layout*)a, *lb = (Layout*)b, *lc = (Layout*)c;
  uint64_t m = d->trans_a ? la->cols : la->rows, k = d->trans_a ? la->rows : la->cols;
  uint64_t n = d->trans_b ? lb->rows : lb->cols, other = d->trans_b ? lb->cols : lb->rows;
  if (m != lc->rows || n != lc->cols || k != other) return INVALID_VALUE;
  memset(found, 0, 96);
  return *count = 1, 0;
}
int cublasLtMatmul(void*, void* description, const void* alpha, const void* a, void* layout_a, const void* b, void* layout_b,
                   const void* beta, const void* c, void* layout_c, void* d, void*, const void*, void*, size_t, void*) {
  const Description& desc = *(Description*)description;
  const Layout &la = *(Layout*)layout_a, &lb = *(Layout*)layout_b, &lc = *(Layout*)layout_c;
  bool tf32 = desc.compute == 77;
  uint64_t inner = desc.trans_a ? la.rows : la.cols;
  for (uint64_t j = 0; j < lc.cols; j++) {
    for (uint64_t i = 0; i < lc.rows; i++) {
      float sum = 0;
      for (uint64_t k = 0; k < inner; k++) {
        sum += (desc.trans_a ? element(la, a, k, i, tf32) : element(la, a, i, k, tf32)) *
               (desc.trans_b ? element(lb, b, j, k, tf32) : element(lb, b, k, j, tf32));
      }
      sum *= *(const float*)alpha;
      uint64_t at = i + j * lc.stride;
      float factor = *(const float*)beta;
      if (factor != 0) sum += factor * element(lc, c, i, j, false);
      if (lc.type == 14) {
        ((uint16_t*)d)[at] = float_to_bf16(sum);
      } else {
        ((float*)d)[at] = sum;
      }
    }
  }
  return 0;
}

#define STAND_IN(type, name) JNIEXPORT type JNICALL Java_caravan_model_engine_cuda_StandIn_##name

STAND_IN(void, failAllocation)(JNIEnv*, jclass, jlong n) {
  allocations = 0;
  failing = n;
}
STAND_IN(void, failKernel)(JNIEnv* env, jclass, jstring name) {
  const char* text = env->GetStringUTFChars(name, nullptr);
  failing_kernel = text;
  env->ReleaseStringUTFChars(name, text);
}
STAND_IN(void, capability)(JNIEnv*, jclass, jint value) { capability = value; }
STAND_IN(jlong, allocations)(JNIEnv*, jclass) { return allocations; }
STAND_IN(jlong, liveBytes)(JNIEnv*, jclass) { return (jlong)used; }
STAND_IN(jlong, liveObjects)(JNIEnv*, jclass) { return (jlong)(objects.size() + contexts); }
STAND_IN(jint, launches)(JNIEnv*, jclass) { return counted_launches; }
STAND_IN(jint, graphs)(JNIEnv*, jclass) { return counted_graphs; }

}  // extern "C"
