// What the Python sides of the kernels share: the best instruction set, threads, and complaints.
#pragma once
#include <nanobind/nanobind.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "kernels.h"

namespace nb = nanobind;
using std::ptrdiff_t;
using namespace gmmseg;

// In gaps_module.cpp: the functions of samples each of which lacks features of its own.
void bind_gaps(nb::module_& m);

struct Chosen {
    const Kernels& mixture;
    Smooth smooth;
    Lab lab;
    TextureKernel texture;
    Gaps gaps;
};

inline Chosen choose() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    // GMMSEG_INSTRUCTIONS lets a test or a bug report ask for less than the machine has.
    const char* most = std::getenv("GMMSEG_INSTRUCTIONS");
    const auto allowed = [&](const char* name) { return !most || std::strcmp(most, name) >= 0; };
    if (allowed("x86-64-v4") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd"))
        return {v4::mixture_kernels, v4::smooth_kernel, v4::lab_kernel, v4::texture_kernel, v4::gaps_kernel};
    if (allowed("x86-64-v3") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return {v3::mixture_kernels, v3::smooth_kernel, v3::lab_kernel, v3::texture_kernel, v3::gaps_kernel};
#endif
    return {baseline::mixture_kernels, baseline::smooth_kernel, baseline::lab_kernel, baseline::texture_kernel,
            baseline::gaps_kernel};
}

inline const Chosen& kernels() {
    static const Chosen chosen = choose();
    return chosen;
}

// Calls work(i) for i in 0..count on up to `threads` threads, this one among them. Threads live for one call: starting
// them costs some 20 microseconds, and nothing is left behind that a fork could break.
template <class Work>
void parallel(ptrdiff_t count, int threads, const Work& work) {
    std::atomic<ptrdiff_t> next{0};
    std::exception_ptr failure;
    std::mutex failing;
    const auto loop = [&] {
        try {
            for (ptrdiff_t i; (i = next++) < count;) work(i);
        } catch (...) {
            next = count;
            const std::lock_guard<std::mutex> lock(failing);
            failure = std::current_exception();
        }
    };
    std::vector<std::thread> helpers;
    helpers.reserve(size_t(std::max<ptrdiff_t>(0, std::min<ptrdiff_t>(threads, count))));
    try {
        for (ptrdiff_t t = 1; t < std::min<ptrdiff_t>(threads, count); ++t) helpers.emplace_back(loop);
    } catch (const std::system_error&) {
        // The system has no more threads to give: those that started, and this one, do the work.
    }
    loop();
    for (std::thread& helper : helpers) helper.join();
    if (failure) std::rethrow_exception(failure);
}

inline void require(bool holds, const char* what) {
    if (!holds) throw nb::value_error(what);
}
