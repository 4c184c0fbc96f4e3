// The scheduler behind shim.h and the C entry points that launch a kernel by name.
//
//   g++ -O2 -std=c++17 -fPIC -shared -DREAL_BF16=1 -I src/main/cuda -include src/test/cpp/shim.h
//       src/test/cpp/kernels.cpp -o libkernels.so
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "attention.cu"
#include "attention_backward.cu"
#include "attention_backward_hopper.cu"
#include "attention_hopper.cu"
#include "attention_plain.cu"
#include "decode.cu"
#include "decode_attention.cu"
#include "dropout.cu"
#include "elementwise.cu"
#include "loss.cu"
#include "norms.cu"
#include "optimizer.cu"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace shim {
namespace {

constexpr size_t STACK = 256 * 1024;
constexpr unsigned MOST_THREADS = 1024;

enum class State { RUNS, WAITS_FOR_BLOCK, WAITS_FOR_WARP, DONE };

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
};

struct Fiber {
  ucontext_t start;
  jmp_buf here;
  State state;
  bool started;
  unsigned parity;
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};

struct Kernel {
  const void* function;
  Thread thread;
  size_t arity;
};

std::map<std::string, Kernel>& kernels() {
  static std::map<std::string, Kernel> all;
  return all;
}

std::mutex one_launch;
std::string error;
std::vector<Fiber> fibers(MOST_THREADS);
char* stacks;
jmp_buf scheduler;
unsigned running;
Kernel kernel;
void** arguments;
std::vector<unsigned char> shared_storage;
unsigned char* shared_start;
alignas(32) unsigned char slots[2][MOST_THREADS][32];

[[noreturn]] void run_thread() {
  kernel.thread(kernel.function, arguments);
  fibers[running].state = State::DONE;
  _longjmp(scheduler, 1);
}

void suspend(State why) {
  Fiber& fiber = fibers[running];
  fiber.state = why;
  if (_setjmp(fiber.here) == 0) _longjmp(scheduler, 1);
}

void resume(unsigned index) {
  Fiber& fiber = fibers[index];
  running = index;
  threadIdx = {index, 0, 0};
  if (_setjmp(scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.here, 1);
  fiber.started = true;
  setcontext(&fiber.start);
}

// Lets a warp go on when all its lanes have met. A lane that returned early can never meet them.
bool release_warp(unsigned first) {
  unsigned waiting = 0, done = 0;
  for (unsigned i = first; i < first + 32; i++) {
    waiting += fibers[i].state == State::WAITS_FOR_WARP;
    done += fibers[i].state == State::DONE;
  }
  if (waiting > 0 && done > 0) error = "a lane returned before an exchange of its warp";
  if (waiting < 32) return false;
  for (unsigned i = first; i < first + 32; i++) fibers[i].state = State::RUNS;
  return true;
}

bool release_block() {
  for (unsigned i = 0; i < blockDim.x; i++) {
    if (fibers[i].state != State::WAITS_FOR_BLOCK) return false;
  }
  for (unsigned i = 0; i < blockDim.x; i++) fibers[i].state = State::RUNS;
  return true;
}

bool step_block(bool& all_done) {
  bool moved = false;
  all_done = true;
  for (unsigned i = 0; i < blockDim.x; i++) {
    if (fibers[i].state == State::RUNS) {
      resume(i);
      moved = true;
    }
    all_done &= fibers[i].state == State::DONE;
  }
  for (unsigned first = 0; first < blockDim.x; first += 32) moved |= release_warp(first);
  return moved | release_block();
}

void prepare(unsigned index) {
  Fiber& fiber = fibers[index];
  getcontext(&fiber.start);
  fiber.start.uc_stack = {stacks + index * STACK, 0, STACK};
  makecontext(&fiber.start, (void (*)())run_thread, 0);
  fiber.started = false;
  fiber.state = State::RUNS;
  fiber.parity = 0;
  fiber.open.clear();
  fiber.groups.clear();
}

void run_block(unsigned shared_bytes) {
  memset(shared_start, 0xff, shared_bytes);  // NaN as float and as bfloat16
  for (unsigned i = 0; i < blockDim.x; i++) prepare(i);
  for (bool all_done = false; !all_done && error.empty();) {
    if (!step_block(all_done) && !all_done) {
      error = "threads of a block wait for each other at different barriers";
    }
  }
}

// What the driver would refuse as well.
std::string refusal(
    const char* name, const unsigned grid[3], unsigned threads, unsigned shared_bytes) {
  if (kernels().count(name) == 0) return "no such kernel";
  if (threads == 0 || threads > MOST_THREADS || threads % 32 != 0) {
    return "got " + std::to_string(threads) + " threads, wanted whole warps, at most 1024";
  }
  if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0 || grid[1] > 65535 || grid[2] > 65535) {
    return "got an empty grid or more than 65535 blocks in y or z";
  }
  if (shared_bytes > 227 * 1024) {
    return "got " + std::to_string(shared_bytes) + " shared bytes, wanted at most 232448";
  }
  return "";
}

void allocate(unsigned shared_bytes) {
  if (stacks == nullptr) {
    stacks = (char*)mmap(
        nullptr, STACK * MOST_THREADS, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  shared_storage.assign(shared_bytes + 1024, 0);
  shared_start = (unsigned char*)(((uintptr_t)shared_storage.data() + 1023) / 1024 * 1024);
}

}  // namespace

void enroll(const char* name, const void* function, Thread thread, size_t arity) {
  kernels()[name] = {function, thread, arity};
}

unsigned char* dynamic_shared() { return shared_start; }

void wait_block() { suspend(State::WAITS_FOR_BLOCK); }

const unsigned char* exchange(const void* mine, size_t bytes) {
  // Two sets of slots in turn: nobody fills a set again before all have read it and met once more.
  unsigned set = fibers[running].parity ^= 1;
  memcpy(slots[set][running], mine, bytes);
  suspend(State::WAITS_FOR_WARP);
  return slots[set][running / 32 * 32];
}

void copy_later(void* to, const void* from, size_t bytes) {
  fibers[running].open.push_back({to, from, bytes});
}

void commit_copies() {
  fibers[running].groups.push_back(std::move(fibers[running].open));
  fibers[running].open.clear();
}

void wait_copies(int newest_allowed) {
  auto& groups = fibers[running].groups;
  while ((int)groups.size() > newest_allowed) {
    for (const Copy& copy : groups.front()) {
      copy.from == nullptr ? memset(copy.to, 0, copy.bytes)
                           : memcpy(copy.to, copy.from, copy.bytes);
    }
    groups.pop_front();
  }
}

}  // namespace shim

extern "C" int caravan_has_kernel(const char* name) { return shim::kernels().count(name) > 0; }

/** How many arguments a kernel has. */
extern "C" size_t caravan_arity(const char* name) {
  return caravan_has_kernel(name) ? shim::kernels()[name].arity : 0;
}

/**
 * Runs a kernel to its end.
 *
 * @param slots one pointer per argument, to at least as many bytes as the argument has
 * @return 1, or 0 with the reason in caravan_error
 */
extern "C" int caravan_launch(
    const char* name, const unsigned grid[3], unsigned threads, unsigned shared_bytes,
    void** slots) {
  using namespace shim;
  std::lock_guard<std::mutex> lock(one_launch);
  error = refusal(name, grid, threads, shared_bytes);
  if (error.empty()) {
    kernel = kernels()[name];
    arguments = slots;
    blockDim = {threads, 1, 1};
    gridDim = {grid[0], grid[1], grid[2]};
    allocate(shared_bytes);
    for (unsigned z = 0; z < grid[2]; z++) {
      for (unsigned y = 0; y < grid[1]; y++) {
        for (unsigned x = 0; x < grid[0] && error.empty(); x++) {
          blockIdx = {x, y, z};
          run_block(shared_bytes);
        }
      }
    }
  }
  if (!error.empty()) error = std::string("kernel ") + name + ": " + error;
  return error.empty();
}

extern "C" const char* caravan_error() { return shim::error.c_str(); }
